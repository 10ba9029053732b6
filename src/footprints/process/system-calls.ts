/**
 * What a trusted process may ask of the kernel (Linux on x86-64): two filters. The first holds from before the program
 * is loaded; the second, put on once it listens, takes away what only the start needs: new programs and new sockets.
 */
import { assembleFilter } from './seccomp.ts';
import type { AllowedCall } from './seccomp.ts';

/** Numbers of system calls; file work, memory, threads, time, and the one socket that it has. */
const CALLS = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  stat: 4,
  fstat: 5,
  lstat: 6,
  poll: 7,
  lseek: 8,
  mmap: 9,
  mprotect: 10,
  munmap: 11,
  brk: 12,
  rt_sigaction: 13,
  rt_sigprocmask: 14,
  rt_sigreturn: 15,
  pread64: 17,
  pwrite64: 18,
  readv: 19,
  writev: 20,
  access: 21,
  sched_yield: 24,
  mremap: 25,
  mincore: 27,
  madvise: 28,
  dup: 32,
  nanosleep: 35,
  getpid: 39,
  accept: 43,
  shutdown: 48,
  getsockname: 51,
  getpeername: 52,
  setsockopt: 54,
  getsockopt: 55,
  exit: 60,
  uname: 63,
  fcntl: 72,
  fsync: 74,
  fdatasync: 75,
  truncate: 76,
  ftruncate: 77,
  getdents: 78,
  getcwd: 79,
  chdir: 80,
  rename: 82,
  mkdir: 83,
  unlink: 87,
  readlink: 89,
  chmod: 90,
  fchmod: 91,
  umask: 95,
  gettimeofday: 96,
  getrlimit: 97,
  getrusage: 98,
  sysinfo: 99,
  getuid: 102,
  getgid: 104,
  geteuid: 107,
  getegid: 108,
  sigaltstack: 131,
  sched_getparam: 143,
  sched_getscheduler: 145,
  gettid: 186,
  futex: 202,
  time: 201,
  sched_getaffinity: 204,
  getdents64: 217,
  set_tid_address: 218,
  restart_syscall: 219,
  clock_gettime: 228,
  clock_getres: 229,
  clock_nanosleep: 230,
  exit_group: 231,
  epoll_wait: 232,
  epoll_ctl: 233,
  tgkill: 234,
  openat: 257,
  newfstatat: 262,
  unlinkat: 263,
  renameat: 264,
  fchmodat: 268,
  faccessat: 269,
  ppoll: 271,
  set_robust_list: 273,
  epoll_pwait: 281,
  fallocate: 285,
  accept4: 288,
  eventfd2: 290,
  epoll_create1: 291,
  dup3: 292,
  pipe2: 293,
  getcpu: 309,
  renameat2: 316,
  getrandom: 318,
  membarrier: 324,
  pkey_mprotect: 329,
  pkey_alloc: 330,
  pkey_free: 331,
  statx: 332,
  rseq: 334,
  epoll_pwait2: 441,
  faccessat2: 439,
} as const;

const IOCTL = 16;
const CLONE = 56;
const PRCTL = 157;
const PRLIMIT = 302;
const CLONE_THREAD = 0x10000;
/** Flags of descriptors (FIONBIO, FIOCLEX, FIONCLEX) and the question whether one is a terminal (TCGETS). */
const IOCTLS = [0x5421, 0x5451, 0x5450, 0x5401];
/** Names of threads (15, 16) and of memory areas. */
const PRCTLS = [15, 16, 0x53564d41];

/** What the sealed process goes on needing. */
const STEADY: readonly AllowedCall[] = [
  ...Object.values(CALLS).map((call) => ({ call })),
  { call: IOCTL, when: { argument: 1, equals: IOCTLS } },
  // Threads, but no other processes.
  { call: CLONE, when: { argument: 0, bits: CLONE_THREAD } },
];

/** What is refused by name: EPERM, so that a try is told from a kernel without the call. */
const REFUSED: Readonly<Record<string, number>> = {
  kill: 62,
  fork: 57,
  vfork: 58,
  execveat: 322,
  socketpair: 53,
  sendto: 44,
  sendmsg: 46,
  recvmsg: 47,
  ptrace: 101,
  setuid: 105,
  setgid: 106,
  personality: 135,
  pivot_root: 155,
  chroot: 161,
  mount: 165,
  umount2: 166,
  init_module: 175,
  add_key: 248,
  request_key: 249,
  keyctl: 250,
  unshare: 272,
  perf_event_open: 298,
  name_to_handle_at: 303,
  open_by_handle_at: 304,
  setns: 308,
  process_vm_readv: 310,
  process_vm_writev: 311,
  finit_module: 313,
  bpf: 321,
  userfaultfd: 323,
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  pidfd_open: 434,
  pidfd_getfd: 438,
};

const EXECVE = 59;
const SOCKET = 41;
const CONNECT = 42;
const BIND = 49;
const LISTEN = 50;
const ARCH_PRCTL = 158;
const MLOCKALL = 151;
const SECCOMP = 317;
const AF_UNIX = 1;

const UNIX_SOCKET: AllowedCall = { call: SOCKET, when: { argument: 0, equals: [AF_UNIX] } };

/** What a component needs beyond the rest. */
export interface FilterNeeds {
  /**
   * It connects to a Unix socket, before and after the seal. Which ones there are is the sandbox's matter: abstract names
   * belong to its own network, others are files that it must see.
   */
  readonly connects?: boolean;
}

/** Holds from the start: one program may be loaded, Unix sockets made, the second filter put on. */
export function startFilter({ connects = false }: FilterNeeds = {}): Uint8Array {
  const more = [EXECVE, BIND, LISTEN, ARCH_PRCTL, PRCTL, PRLIMIT, MLOCKALL, SECCOMP];
  return assembleFilter({
    allowed: [
      ...STEADY,
      ...more.map((call) => ({ call })),
      UNIX_SOCKET,
      ...(connects ? [{ call: CONNECT }] : []),
    ],
    refused: [...Object.values(REFUSED), ...(connects ? [] : [CONNECT])],
  });
}

/** Holds once the process listens: no program, no limit can be changed any more, and no socket made but to connect. */
export function steadyFilter({ connects = false }: FilterNeeds = {}): Uint8Array {
  return assembleFilter({
    allowed: [
      ...STEADY,
      { call: PRCTL, when: { argument: 0, equals: PRCTLS } },
      ...(connects ? [UNIX_SOCKET, { call: CONNECT }] : []),
    ],
    refused: [
      ...Object.values(REFUSED),
      ...(connects ? [] : [SOCKET, CONNECT]),
      ...[EXECVE, BIND, LISTEN, PRLIMIT, MLOCKALL, SECCOMP],
    ],
  });
}

/** Calls by which the seal is put on, by name. */
export const SEAL_CALLS = { prctl: PRCTL, prlimit64: PRLIMIT, mlockall: MLOCKALL, seccomp: SECCOMP } as const;
