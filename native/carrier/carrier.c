/*
 * Carries one trusted program: the C that wasm2c makes of a module trusted/NAME.wasm, with the measurement of those
 * bytes compiled in. Gives it its imports (src/trusted/programs/assembly/lib/host.ts) and a channel. Nothing is kept:
 * a machine without a disk is a new component at every start, with a key that exists only in this memory.
 */
#include <sodium.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "guest.h"
#include "measurement.h"
#include "program.h"

#define SUITE_ED25519 2
#define DURABILITY_MEMORY 2
#define TC_ID_BYTES 16
#define TC_EPOCH_BYTES 8
#define KEY_BLOCK_BYTES (94 + crypto_sign_PUBLICKEYBYTES)

static struct {
  uint8_t secret[crypto_sign_SECRETKEYBYTES];
  uint8_t public[crypto_sign_PUBLICKEYBYTES];
  uint8_t epoch[TC_EPOCH_BYTES];
} key;

static Z_program_instance_t program;
static struct channel channel;

/* The program's bytes from `at` on; ends the machine if they are not all in its memory. */
static uint8_t *memory_at(u32 at, size_t length) {
  wasm_rt_memory_t *memory = Z_programZ_memory(&program);
  if (length > memory->size || at > memory->size - length) guest_end("the program names memory that it has not");
  return memory->data + at;
}

void carrier_trap(wasm_rt_trap_t code) {
  (void)code;
  guest_end("the program trapped");
}

static void make_key(void) {
  crypto_sign_keypair(key.public, key.secret);
  randombytes_buf(key.epoch, sizeof key.epoch);
}

/* The key block of lib/component.ts; flags 0: neither persistent nor keeping records. */
static u32 put_key_block(u32 at) {
  static const char name[] = "tc-id-v1";
  uint8_t *block = memory_at(at, KEY_BLOCK_BYTES);
  uint8_t source[sizeof name + sizeof key.public], digest[crypto_hash_sha256_BYTES];
  memcpy(source, name, sizeof name - 1);
  source[sizeof name - 1] = SUITE_ED25519;
  memcpy(source + sizeof name, key.public, sizeof key.public);
  crypto_hash_sha256(digest, source, sizeof source);
  memset(block, 0, KEY_BLOCK_BYTES);
  block[0] = SUITE_ED25519;
  memcpy(block + 4, digest, TC_ID_BYTES);
  memcpy(block + 20, key.epoch, TC_EPOCH_BYTES);
  memcpy(block + 28, MEASUREMENT, sizeof MEASUREMENT);
  block[93] = sizeof key.public;
  memcpy(block + 94, key.public, sizeof key.public);
  return KEY_BLOCK_BYTES;
}

u32 Z_envZ_persist(struct Z_env_instance_t *env, u32 at, u32 length) {
  (void)env, (void)at, (void)length;
  return 1;
}

u32 Z_envZ_authenticate(struct Z_env_instance_t *env, u32 at, u32 length, u32 out) {
  (void)env;
  crypto_sign_detached(memory_at(out, crypto_sign_BYTES), NULL, memory_at(at, length), length, key.secret);
  return crypto_sign_BYTES;
}

u32 Z_envZ_replaceKey(struct Z_env_instance_t *env, u32 out) {
  (void)env;
  sodium_memzero(&key, sizeof key);
  make_key();
  return put_key_block(out);
}

void Z_envZ_random(struct Z_env_instance_t *env, u32 at, u32 length) {
  (void)env;
  randombytes_buf(memory_at(at, length), length);
}

/* A machine is in no group, whose key would have to outlive it. */
u32 Z_envZ_clientRoot(struct Z_env_instance_t *env, u32 out) {
  (void)env, (void)out;
  return 0;
}

f64 Z_envZ_now(struct Z_env_instance_t *env) {
  (void)env;
  struct timespec time;
  if (clock_gettime(CLOCK_BOOTTIME, &time) != 0) guest_end("no clock");
  return (f64)time.tv_sec * 1000 + (f64)(time.tv_nsec / 1000000);
}

u32 Z_envZ_check(struct Z_env_instance_t *env, u32 public, u32 at, u32 length, u32 signature) {
  (void)env;
  const uint8_t *by = memory_at(public, crypto_sign_PUBLICKEYBYTES);
  const uint8_t *seal = memory_at(signature, crypto_sign_BYTES);
  return crypto_sign_verify_detached(seal, memory_at(at, length), length, by) == 0;
}

static void start_program(void) {
  wasm_rt_init();
  Z_program_init_module();
  Z_program_instantiate(&program, NULL);
  make_key();
  if (Z_programZ_start(&program, put_key_block(Z_programZ_input(&program))) != 1)
    guest_end("the program does not take its key");
}

static void answer(const struct frame *frame) {
  u32 capacity = Z_programZ_inputBytes(&program);
  /* What does not fit is no request: the program refuses the empty one in the same words. */
  u32 length = frame->length > capacity ? 0 : (u32)frame->length;
  memcpy(memory_at(Z_programZ_input(&program), length), frame->body, length);
  u32 bytes = Z_programZ_handle(&program, length);
  if (bytes > RESPONSE_BYTES_MAX) guest_end("an answer that is too long");
  channel_put(&channel, frame->id, memory_at(Z_programZ_output(&program), bytes), bytes);
}

int main(void) {
  channel.in = STDIN_FILENO;
  channel.out = STDOUT_FILENO;
  if (guest_is_machine()) {
    guest_load_modules();
    channel.in = channel.out = guest_open_port(1);
  }
  if (sodium_init() < 0) guest_end("no randomness");
  start_program();
  guest_lock_down();
  for (;;) {
    if (!channel_read(&channel)) {
      guest_nobody_there();
      continue;
    }
    guest_somebody_there();
    struct frame frame;
    for (enum channel_found found; (found = channel_next(&channel, &frame)) != FOUND_NOTHING;) {
      if (found == FOUND_STOP) guest_end("stopped by the caller");
      if (found == FOUND_GREETING) channel_welcome(&channel, DURABILITY_MEMORY);
      else answer(&frame);
    }
    channel_flush(&channel);
  }
}
