/*
 * Viewers over WebSocket (docs/websocket.md): the handshake, frames, and what comes, message by message, so that
 * every viewer can say what it got and how far it has played. For viewers.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { PACKET_HEAD_BYTES = 11, MAX_FRAME_HEAD_BYTES = 10, AUDIO = 8, VIDEO = 9 };

/* Where a viewer is in what it reads. */
typedef struct {
  uint64_t frame_left;
  uint32_t message_left;
  uint8_t head[PACKET_HEAD_BYTES > MAX_FRAME_HEAD_BYTES ? PACKET_HEAD_BYTES : MAX_FRAME_HEAD_BYTES];
  int have;
  /* Audio and video: how many, and the time of the last. */
  uint64_t messages;
  uint32_t timestamp;
  uint64_t frames;
} Walk;

/* Bytes of the head of a frame, once two of them are there. What is not binary ends the viewer. */
static int frame_head_bytes(const uint8_t *head) {
  int size = head[1] & 0x7f;
  return size < 126 ? 2 : size == 126 ? 4 : 10;
}

static uint64_t number_of(const uint8_t *bytes, int count) {
  uint64_t number = 0;
  for (int i = 0; i < count; i++) number = number << 8 | bytes[i];
  return number;
}

/* Takes bytes into the head that is being read. Returns whether it is complete. */
static int fill_head(Walk *walk, const uint8_t **at, const uint8_t *end, int wanted) {
  int part = wanted - walk->have < end - *at ? wanted - walk->have : (int)(end - *at);
  memcpy(walk->head + walk->have, *at, part);
  walk->have += part;
  *at += part;
  return walk->have == wanted;
}

/* Goes through what came. Returns 0 for what no server of ours sends: the viewer is to hang up. */
static int walk_bytes(Walk *walk, const uint8_t *at, size_t length) {
  const uint8_t *end = at + length;
  while (at < end) {
    if (walk->frame_left == 0) {
      if (walk->have < 2 && !fill_head(walk, &at, end, 2)) break;
      if (walk->head[0] != 0x82 || walk->head[1] & 0x80) return 0;
      int wanted = frame_head_bytes(walk->head);
      if (walk->have < wanted && !fill_head(walk, &at, end, wanted)) break;
      walk->frame_left = wanted == 2 ? walk->head[1] : number_of(walk->head + 2, wanted - 2);
      walk->have = 0;
      walk->frames++;
      continue;
    }
    if (walk->message_left == 0) {
      int before = walk->have;
      int is_whole = fill_head(walk, &at, end, PACKET_HEAD_BYTES);
      if ((uint64_t)(walk->have - before) > walk->frame_left) return 0;
      walk->frame_left -= walk->have - before;
      if (!is_whole) break;
      walk->have = 0;
      walk->message_left = number_of(walk->head + 1, 3);
      if (walk->message_left > walk->frame_left) return 0;
      if (walk->head[0] != AUDIO && walk->head[0] != VIDEO) continue;
      walk->messages++;
      walk->timestamp = number_of(walk->head + 4, 4);
      continue;
    }
    size_t part = (size_t)(end - at) < walk->message_left ? (size_t)(end - at) : walk->message_left;
    at += part;
    walk->message_left -= part;
    walk->frame_left -= part;
  }
  return 1;
}

/* A frame with one message. The mask is 0, which changes nothing: what counts is what the server has to do. */
static size_t write_packet(uint8_t *out, int type, int stream_id, const void *body, size_t length) {
  size_t size = PACKET_HEAD_BYTES + length, at = 2;
  out[0] = 0x82;
  out[1] = 0x80 | (size < 126 ? size : 126);
  if (size >= 126) {
    out[at++] = size >> 8;
    out[at++] = size;
  }
  memset(out + at, 0, 4 + PACKET_HEAD_BYTES);
  at += 4;
  out[at] = type;
  out[at + 2] = length >> 8;
  out[at + 3] = length;
  out[at + 10] = stream_id;
  memcpy(out + at + PACKET_HEAD_BYTES, body, length);
  return at + size;
}

static size_t write_upgrade(char *out, size_t room, int port, const char *path) {
  return snprintf(out, room,
                  "GET /%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Protocol: stagewire.v1\r\n\r\n",
                  path, port);
}
