/* See guest.h. Nothing here is reached by what a caller sends. */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "no seccomp list for this architecture"
#endif

#define NOBODY 65534
#define PAUSE_MS 20
#define PORT_WAIT_MS 10000

/* In the order in which they need each other. Those that are built into the kernel are not in the image. */
static const char *const MODULES[] = {
    "virtio_ring", "virtio",     "virtio_pci_legacy_dev", "virtio_pci_modern_dev",
    "virtio_pci",  "virtio-rng", "virtio_console",
};

/* Where the reason of an end is written; in a machine the kernel's log, which goes nowhere unless it has a console. */
static int reasons = STDERR_FILENO;
static long lonely_ms;
static long lonely_ms_max;

static void pause_ms(long ms) {
  struct timespec time = {ms / 1000, (ms % 1000) * 1000000};
  nanosleep(&time, NULL);
}

int guest_is_machine(void) {
  /* Asked once: later the system call is not allowed any more. */
  static int answer = -1;
  if (answer < 0) answer = getpid() == 1;
  return answer;
}

void guest_end(const char *reason) {
  char line[128];
  int length = snprintf(line, sizeof line, "%s\n", reason);
  _exit(write(reasons, line, (size_t)length) == length ? 1 : 2);
}

void guest_load_modules(void) {
  if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, NULL) != 0) guest_end("no device files");
  reasons = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  /* An unknown word `linger=SECONDS` of the kernel's command line becomes a variable of the first process. */
  const char *linger = getenv("linger");
  if (linger != NULL) lonely_ms_max = strtol(linger, NULL, 10) * 1000;
  for (size_t index = 0; index < sizeof MODULES / sizeof *MODULES; index++) {
    char path[64];
    snprintf(path, sizeof path, "/modules/%s.ko", MODULES[index]);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT) continue;
    if (file < 0 || syscall(SYS_finit_module, file, "", 0) != 0) guest_end("a kernel module does not load");
    close(file);
  }
}

int guest_open_port(int number) {
  char path[32];
  snprintf(path, sizeof path, "/dev/vport0p%d", number);
  for (int waited = 0; waited < PORT_WAIT_MS; waited += 5) {
    int port = open(path, O_RDWR | O_CLOEXEC);
    if (port >= 0) return port;
    pause_ms(5);
  }
  guest_end("the machine has no such virtio port");
}

/* What is left after the start. The clock is read without a system call where the kernel can arrange it. */
static void allow_system_calls(void) {
#define ALLOW(name)                                                  \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1),            \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      ALLOW(read),
      ALLOW(write),
      ALLOW(ppoll),
      ALLOW(getrandom),
      ALLOW(clock_gettime),
      ALLOW(clock_nanosleep),
      ALLOW(restart_syscall),
      ALLOW(exit_group),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
#undef ALLOW
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
    guest_end("no seccomp");
}

void guest_lock_down(void) {
  struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) guest_end("memory can be dumped");
  if (guest_is_machine()) {
    if (umount2("/dev", MNT_DETACH) != 0) guest_end("the device files stay");
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) guest_end("memory cannot be locked");
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)
      guest_end("rights cannot be given up");
  }
  allow_system_calls();
}

void guest_nobody_there(void) {
  if (!guest_is_machine()) guest_end("the caller is gone");
  lonely_ms += PAUSE_MS;
  if (lonely_ms_max > 0 && lonely_ms >= lonely_ms_max) guest_end("nobody called");
  pause_ms(PAUSE_MS);
}

void guest_somebody_there(void) { lonely_ms = 0; }
