/*
 * The end of a channel on which one caller asks: frames of u32 length | u32 id | body, where id 0 is the channel's own.
 * A virtio port has no connections: after one caller left, another one's bytes follow in the same stream, and it may
 * find answers in it that were meant for the one before. So a caller begins with a greeting that carries the token of
 * the component's folder and a fresh nonce. The first greeting fixes the token. From then on the token begins a new
 * conversation wherever it stands in the stream, also within a frame that was cut off; the welcome repeats the nonce,
 * and the caller skips everything before it.
 *   greeting  1 | 1 | token (32) | nonce (16)
 *   welcome   2 | 1 | durability | four zeros | nonce (16)
 *   refusal   3 | text
 *   stop      4
 */
#ifndef MOIETY_CHANNEL_H
#define MOIETY_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#define CHANNEL_VERSION 1
#define TOKEN_BYTES 32
#define NONCE_BYTES 16
#define HEAD_BYTES 8
/* As in src/trusted/frames.ts; a test compares them. */
#define REQUEST_BYTES_MAX 26624
#define RESPONSE_BYTES_MAX 278784

enum channel_own { CHANNEL_GREETING = 1, CHANNEL_WELCOME, CHANNEL_REFUSAL, CHANNEL_STOP };
enum channel_found { FOUND_NOTHING, FOUND_GREETING, FOUND_REQUEST, FOUND_STOP };

struct channel {
  int in, out;
  int has_token, is_greeted;
  uint8_t token[TOKEN_BYTES], nonce[NONCE_BYTES];
  /* What was read: `fill` bytes, of which the first `used` are done with. */
  size_t used, fill;
  uint8_t buffer[64 * 1024];
  size_t out_fill;
  uint8_t out_buffer[HEAD_BYTES + RESPONSE_BYTES_MAX];
};

struct frame {
  uint32_t id;
  /* Points into the channel; good until the next read. */
  const uint8_t *body;
  size_t length;
};

uint32_t read_u32(const uint8_t *at);
void write_u32(uint8_t *at, uint32_t value);

/* Reads what is there, waiting for at least one byte; 0 if nobody is connected. */
int channel_read(struct channel *channel);
/* The next thing in what was read. Everything before a greeting that is not a whole frame is dropped. */
enum channel_found channel_next(struct channel *channel, struct frame *frame);
/* Queues a frame; leaves at the latest with `channel_flush`. */
void channel_put(struct channel *channel, uint32_t id, const uint8_t *body, size_t length);
void channel_welcome(struct channel *channel, uint8_t durability);
void channel_flush(struct channel *channel);

/* Writes all of it, waiting for a caller if there is none. */
void write_all(int file, const uint8_t *bytes, size_t length);

#endif
