/*
 * The only process of the replica's machine in footprint (e). It takes requests from the second virtio port and asks
 * the trusted program, which runs outside, on the side of the monitor, through the first. It keeps no state that could
 * be lost: when the way to the program breaks, the machine ends, and the next one begins anew.
 */
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "guest.h"

/* Fewer than a virtio queue has places (128): passing a request on never waits for the program to be read from. */
#define OUTSTANDING_MAX 64
#define GREETING_RETRY_MS 300

static struct channel caller;

/* The way to the program. */
static struct {
  int port, is_greeted;
  unsigned outstanding;
  size_t fill;
  uint8_t buffer[HEAD_BYTES + RESPONSE_BYTES_MAX + 4096];
} outside;

/* A caller has greeted and waits for its welcome: until the program has welcomed, and answered the caller before. */
static int is_welcome_due;
static uint8_t durability;

/* Shows the caller's token to the program: who may call here may call there. */
static void greet_outside(void) {
  uint8_t greeting[HEAD_BYTES + 2 + TOKEN_BYTES] = {0};
  write_u32(greeting, sizeof greeting - 4);
  greeting[HEAD_BYTES] = CHANNEL_GREETING;
  greeting[HEAD_BYTES + 1] = CHANNEL_VERSION;
  memcpy(greeting + HEAD_BYTES + 2, caller.token, TOKEN_BYTES);
  write_all(outside.port, greeting, sizeof greeting);
}

/* A frame of the channel itself. The program says nothing of the kind once it has welcomed, unless it breaks off. */
static void take_own(const uint8_t *body, size_t length) {
  if (length >= 3 && body[0] == CHANNEL_WELCOME && body[1] == CHANNEL_VERSION && !outside.is_greeted) {
    durability = body[2];
    outside.is_greeted = 1;
    return;
  }
  channel_put(&caller, 0, body, length);
  channel_flush(&caller);
  guest_end("the trusted program refuses");
}

/* Passes on what the program said. */
static void take_answers(void) {
  ssize_t count = read(outside.port, outside.buffer + outside.fill, sizeof outside.buffer - outside.fill);
  if (count <= 0 && outside.is_greeted) guest_end("the trusted program is gone");
  if (count < 0) guest_end("the port cannot be read");
  outside.fill += (size_t)count;
  size_t used = 0;
  while (outside.fill - used >= HEAD_BYTES) {
    const uint8_t *at = outside.buffer + used;
    uint32_t length = read_u32(at), id = read_u32(at + 4);
    if (length < 4 || length > 4 + RESPONSE_BYTES_MAX) guest_end("an answer of impossible length");
    if (outside.fill - used < 4 + (size_t)length) break;
    used += 4 + (size_t)length;
    if (id == 0) {
      take_own(at + HEAD_BYTES, length - 4);
      continue;
    }
    if (outside.outstanding == 0) guest_end("an answer to nothing");
    outside.outstanding--;
    channel_put(&caller, id, at + HEAD_BYTES, length - 4);
  }
  memmove(outside.buffer, outside.buffer + used, outside.fill - used);
  outside.fill -= used;
}

static void pass_on(const struct frame *frame) {
  static uint8_t request[HEAD_BYTES + REQUEST_BYTES_MAX];
  write_u32(request, (uint32_t)(4 + frame->length));
  write_u32(request + 4, frame->id);
  memcpy(request + HEAD_BYTES, frame->body, frame->length);
  outside.outstanding++;
  write_all(outside.port, request, HEAD_BYTES + frame->length);
}

/* Does with what the caller sent as much as can be done now. */
static void serve_caller(void) {
  struct frame frame;
  for (;;) {
    if (is_welcome_due && outside.is_greeted && outside.outstanding == 0) {
      channel_welcome(&caller, durability);
      is_welcome_due = 0;
    }
    if (is_welcome_due || outside.outstanding >= OUTSTANDING_MAX) return;
    switch (channel_next(&caller, &frame)) {
      case FOUND_NOTHING:
        return;
      case FOUND_STOP:
        guest_end("stopped by the caller");
      case FOUND_GREETING:
        is_welcome_due = 1;
        if (!outside.is_greeted) greet_outside();
        break;
      case FOUND_REQUEST:
        pass_on(&frame);
    }
  }
}

int main(void) {
  outside.port = 3;
  caller.in = STDIN_FILENO;
  caller.out = STDOUT_FILENO;
  if (guest_is_machine()) {
    guest_load_modules();
    outside.port = guest_open_port(1);
    caller.in = caller.out = guest_open_port(2);
  }
  guest_lock_down();
  for (;;) {
    int is_full = is_welcome_due || outside.outstanding >= OUTSTANDING_MAX;
    int is_greeting = is_welcome_due && !outside.is_greeted;
    struct pollfd ports[2] = {
        {.fd = is_greeting || outside.is_greeted ? outside.port : -1, .events = POLLIN},
        {.fd = is_full ? -1 : caller.in, .events = POLLIN},
    };
    struct timespec patience = {0, GREETING_RETRY_MS * 1000000L};
    int ready = ppoll(ports, 2, is_greeting ? &patience : NULL, NULL);
    if (ready < 0) continue;
    /* The program's side closes what does not greet, as the machine could not while it started: then once more. */
    if (is_greeting && (ready == 0 || !(ports[0].revents & POLLIN))) greet_outside();
    else if (ports[0].revents != 0) take_answers();
    if (ports[1].revents != 0) {
      if (channel_read(&caller)) guest_somebody_there();
      else guest_nobody_there();
    }
    serve_caller();
    channel_flush(&caller);
  }
}
