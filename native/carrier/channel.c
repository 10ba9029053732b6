/* See channel.h. */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define GREETING_BODY (2 + TOKEN_BYTES + NONCE_BYTES)
#define GREETING_BYTES (HEAD_BYTES + GREETING_BODY)
#define GREETING_HEAD (HEAD_BYTES + 2)

uint32_t read_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void write_u32(uint8_t *at, uint32_t value) {
  for (int index = 0; index < 4; index++) at[index] = (uint8_t)(value >> (24 - 8 * index));
}

int channel_read(struct channel *channel) {
  memmove(channel->buffer, channel->buffer + channel->used, channel->fill - channel->used);
  channel->fill -= channel->used;
  channel->used = 0;
  for (;;) {
    ssize_t count = read(channel->in, channel->buffer + channel->fill, sizeof channel->buffer - channel->fill);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) guest_end("the port cannot be read");
    if (count == 0) return 0;
    channel->fill += (size_t)count;
    return 1;
  }
}

/* Where the next greeting begins, perhaps not all of it read; -1 if nowhere. */
static ptrdiff_t find_greeting(const struct channel *channel) {
  uint8_t sought[GREETING_HEAD + TOKEN_BYTES] = {0};
  write_u32(sought, 4 + GREETING_BODY);
  sought[HEAD_BYTES] = CHANNEL_GREETING;
  sought[HEAD_BYTES + 1] = CHANNEL_VERSION;
  memcpy(sought + GREETING_HEAD, channel->token, TOKEN_BYTES);
  size_t length = channel->has_token ? sizeof sought : GREETING_HEAD;
  const uint8_t *from = channel->buffer + channel->used;
  const uint8_t *found = memmem(from, channel->fill - channel->used, sought, length);
  return found == NULL ? -1 : found - channel->buffer;
}

/* Cuts a whole frame off what lies before `end`. */
static enum channel_found next_frame(struct channel *channel, size_t end, struct frame *frame) {
  while (end - channel->used >= 4) {
    const uint8_t *at = channel->buffer + channel->used;
    uint32_t length = read_u32(at);
    if (length < 4 || length > 4 + REQUEST_BYTES_MAX) {
      static const uint8_t refusal[] = "\3a frame of impossible length";
      channel->is_greeted = 0;
      channel_put(channel, 0, refusal, sizeof refusal - 1);
      return FOUND_NOTHING;
    }
    if (end - channel->used < 4 + (size_t)length) return FOUND_NOTHING;
    channel->used += 4 + (size_t)length;
    *frame = (struct frame){read_u32(at + 4), at + HEAD_BYTES, length - 4};
    if (frame->id != 0) return FOUND_REQUEST;
    if (frame->length == 1 && frame->body[0] == CHANNEL_STOP) return FOUND_STOP;
  }
  return FOUND_NOTHING;
}

enum channel_found channel_next(struct channel *channel, struct frame *frame) {
  ptrdiff_t greeting = find_greeting(channel);
  size_t end = greeting < 0 ? channel->fill : (size_t)greeting;
  if (channel->is_greeted) {
    enum channel_found found = next_frame(channel, end, frame);
    if (found != FOUND_NOTHING) return found;
  }
  if (greeting < 0) {
    /* Deaf until somebody greets: only what may be the beginning of a greeting is kept. */
    size_t left = channel->fill - channel->used;
    if (!channel->is_greeted && left >= GREETING_BYTES) channel->used = channel->fill - (GREETING_BYTES - 1);
    return FOUND_NOTHING;
  }
  channel->used = end;
  if (channel->fill - end < GREETING_BYTES) return FOUND_NOTHING;
  const uint8_t *token = channel->buffer + end + GREETING_HEAD;
  memcpy(channel->token, token, TOKEN_BYTES);
  memcpy(channel->nonce, token + TOKEN_BYTES, NONCE_BYTES);
  channel->has_token = 1;
  channel->is_greeted = 1;
  channel->used += GREETING_BYTES;
  return FOUND_GREETING;
}

void channel_put(struct channel *channel, uint32_t id, const uint8_t *body, size_t length) {
  if (HEAD_BYTES + length > sizeof channel->out_buffer) guest_end("an answer that is too long");
  if (channel->out_fill + HEAD_BYTES + length > sizeof channel->out_buffer) channel_flush(channel);
  uint8_t *at = channel->out_buffer + channel->out_fill;
  write_u32(at, (uint32_t)(4 + length));
  write_u32(at + 4, id);
  memcpy(at + HEAD_BYTES, body, length);
  channel->out_fill += HEAD_BYTES + length;
}

void channel_welcome(struct channel *channel, uint8_t durability) {
  uint8_t body[7 + NONCE_BYTES] = {CHANNEL_WELCOME, CHANNEL_VERSION, durability};
  memcpy(body + 7, channel->nonce, NONCE_BYTES);
  channel_put(channel, 0, body, sizeof body);
}

void channel_flush(struct channel *channel) {
  write_all(channel->out, channel->out_buffer, channel->out_fill);
  channel->out_fill = 0;
}

void write_all(int file, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t count = write(file, bytes, length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) guest_end("the port cannot be written");
    bytes += count;
    length -= (size_t)count;
  }
}
