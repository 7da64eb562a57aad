/*
 * `viewers PORT HOW [APP STREAM]`: many viewers of live streams in one cheap process. HOW is `rtmp` or `ws`. With APP
 * and STREAM they connect and play, and the %d in STREAM becomes the viewer's number modulo the count given to `open`;
 * else they only read, over `ws` after the handshake. What comes over RTMP is thrown away in the kernel (MSG_TRUNC);
 * of what comes over WebSocket the heads are read, since such viewers say how far they have come. Commands on standard
 * input, each answered by one line:
 *
 *   open COUNT [STREAMS]   opens so many more             -> opened TOTAL
 *   stuck COUNT            the same, but they never read  -> opened TOTAL
 *   zero                   counts from 0 again            -> zeroed
 *   seen                   what came since                -> {"viewers","closed","bytes","least","most"}
 *
 * Over `ws` there are also {"fewest","mostMessages"}: audio and video of who got least and most; and {"frames"} of all.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "websocket.h"

enum { MAX_VIEWERS = 20000, FIRST_BYTES = 1 << 18, CHUNK_BYTES = 128, HANDSHAKE_BYTES = 1536 };
/* Between two looks at the sockets: what came meanwhile costs one call for each of them. */
enum { REST_US = 4000 };
/* As players do it: an acknowledgement for so many bytes, and one now and then when nothing comes. */
enum { ACK_BYTES = 2500000, ACK_SECONDS = 16 };
/* How often a page says how far it has played: as client/net-stream.ts does it. */
enum { PLAYED_MS = 500 };

typedef struct {
  int fd;
  int is_stuck;
  uint64_t bytes;
  uint64_t total;
  uint64_t acknowledged;
  int stream_id;
  Walk walk;
  uint32_t told;
} Viewer;

static Viewer viewers[MAX_VIEWERS];
static int count, closed, epoll_fd;
static int port, is_ws;
static const char *app, *stream;
/* Who is being opened, over WebSocket from its handshake on: all that it reads goes through its walk. */
static Viewer *opening;

static void fail(const char *what) {
  fprintf(stderr, "viewers: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* ---- What a client says, in AMF0 ---- */

typedef struct {
  uint8_t bytes[2048];
  size_t length;
} Text;

static void put(Text *to, const void *bytes, size_t length) {
  if (to->length + length > sizeof to->bytes) fail("a command is too long");
  memcpy(to->bytes + to->length, bytes, length);
  to->length += length;
}

static void put_name(Text *to, const char *name) {
  size_t length = strlen(name);
  uint8_t head[2] = {length >> 8, length};
  put(to, head, 2);
  put(to, name, length);
}

static void put_string(Text *to, const char *value) {
  put(to, "\x02", 1);
  put_name(to, value);
}

static void put_number(Text *to, double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  bits = __builtin_bswap64(bits);
  put(to, "\x00", 1);
  put(to, &bits, 8);
}

static void send_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) fail("send");
    bytes += sent;
    length -= sent;
  }
}

/* One message: a frame, or chunks of the size that every connection begins with (RTMP 1.0, section 5.3.1). */
static void send_message(int fd, int chunk_stream, int type, int stream_id, const Text *body) {
  if (is_ws) {
    uint8_t frame[4096];
    return send_all(fd, frame, write_packet(frame, type, stream_id, body->bytes, body->length));
  }
  uint8_t out[4096] = {chunk_stream, 0, 0, 0, 0, body->length >> 8, body->length, type, stream_id, 0, 0, 0};
  size_t at = 12;
  for (size_t read = 0; read < body->length; read += CHUNK_BYTES) {
    if (read > 0) out[at++] = 0xc0 | chunk_stream;
    size_t part = body->length - read < CHUNK_BYTES ? body->length - read : CHUNK_BYTES;
    memcpy(out + at, body->bytes + read, part);
    at += part;
  }
  send_all(fd, out, at);
}

static void acknowledge(Viewer *viewer) {
  uint32_t received = htonl((uint32_t)viewer->total);
  uint8_t out[16] = {2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0};
  memcpy(out + 12, &received, 4);
  viewer->acknowledged = viewer->total;
  send(viewer->fd, out, sizeof out, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void tell_played(Viewer *viewer) {
  uint32_t timestamp = htonl(viewer->walk.timestamp);
  uint8_t frame[64];
  viewer->told = viewer->walk.timestamp;
  send(viewer->fd, frame, write_packet(frame, 3, viewer->stream_id, &timestamp, 4), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- Until it plays: blocking, one after the other ---- */

/* Acknowledges at once: some servers send their answers in parts, and wait for that between two of them. */
static ssize_t receive(int fd, void *bytes, size_t length) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  return recv(fd, bytes, length, 0);
}

/* Reads until `wanted` is there, and what follows it by `more` bytes. */
static uint8_t *await(int fd, const char *wanted, size_t length, size_t more) {
  static uint8_t heard[FIRST_BYTES];
  size_t have = 0;
  for (;;) {
    ssize_t got = receive(fd, heard + have, sizeof heard - have);
    if (got <= 0) fail("a viewer was not served");
    if (opening && !walk_bytes(&opening->walk, heard + have, got)) fail("what a viewer heard are no messages");
    have += got;
    uint8_t *found = memmem(heard, have, wanted, length);
    if (found && found + length + more <= heard + have) return found;
    if (memmem(heard, have, "_error", 6)) fail("the server answered _error");
    if (have == sizeof heard) fail("a viewer heard no answer");
  }
}

static void shake_hands(int fd) {
  static uint8_t bytes[2 * HANDSHAKE_BYTES + 1];
  memset(bytes, 0, sizeof bytes);
  bytes[0] = 3;
  send_all(fd, bytes, HANDSHAKE_BYTES + 1);
  for (size_t have = 0; have < sizeof bytes;) {
    ssize_t got = receive(fd, bytes + have, sizeof bytes - have);
    if (got <= 0) fail("handshake");
    have += got;
  }
  send_all(fd, bytes + 1, HANDSHAKE_BYTES);
}

static void upgrade(int fd) {
  char request[1024];
  send_all(fd, (uint8_t *)request, write_upgrade(request, sizeof request, port, app ? app : ""));
  await(fd, "\r\n\r\n", 4, 0);
}

/* Returns the number of the message stream. */
static int play(int fd, int stream_number) {
  char url[512], name[256];
  snprintf(url, sizeof url, "%s://127.0.0.1:%d/%s", is_ws ? "ws" : "rtmp", port, app);
  snprintf(name, sizeof name, stream, stream_number);
  Text connect_command = {.length = 0};
  put_string(&connect_command, "connect");
  put_number(&connect_command, 1);
  put(&connect_command, "\x03", 1);
  put_name(&connect_command, "app");
  put_string(&connect_command, app);
  put_name(&connect_command, "flashVer");
  put_string(&connect_command, "LNX 9,0,124,2");
  put_name(&connect_command, "tcUrl");
  put_string(&connect_command, url);
  put(&connect_command, "\0\0\x09", 3);
  send_message(fd, 3, 20, 0, &connect_command);
  await(fd, "_result", 7, 0);
  Text create = {.length = 0};
  put_string(&create, "createStream");
  put_number(&create, 2);
  put(&create, "\x05", 1);
  send_message(fd, 3, 20, 0, &create);
  /* Transaction 2, null, and the number of the stream as a double: small ones differ in two bytes. */
  uint8_t *answer = await(fd, "_result\0\x40\0\0\0\0\0\0\0\x05\0", 18, 8);
  uint64_t bits;
  double stream_id;
  memcpy(&bits, answer + 18, 8);
  bits = __builtin_bswap64(bits);
  memcpy(&stream_id, &bits, 8);
  Text play_command = {.length = 0};
  put_string(&play_command, "play");
  put_number(&play_command, 3);
  put(&play_command, "\x05", 1);
  put_string(&play_command, name);
  send_message(fd, 8, 20, (int)stream_id, &play_command);
  await(fd, "NetStream.Play.Start", 20, 0);
  return (int)stream_id;
}

static void open_viewer(int stream_number, int is_stuck) {
  if (count == MAX_VIEWERS) fail("too many viewers");
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  /* Room for a key frame while nobody looks; a stuck one is to hold little. */
  int room = is_stuck ? 32768 : 1 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct timeval patience = {.tv_sec = 10};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
  Viewer *viewer = &viewers[count];
  /* Not all of them acknowledge at the same time. */
  *viewer = (Viewer){.fd = fd, .is_stuck = is_stuck, .total = (uint64_t)count * 7919 % 1000 * (ACK_BYTES / 1000)};
  if (is_ws) {
    upgrade(fd);
    opening = viewer;
  } else if (app) {
    shake_hands(fd);
  }
  if (app) viewer->stream_id = play(fd, stream_number);
  opening = NULL;
  struct epoll_event event = {.events = is_stuck ? EPOLLRDHUP : EPOLLIN, .data.ptr = viewer};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  count++;
}

/* ---- From then on ---- */

static void hang_up(Viewer *viewer) {
  close(viewer->fd);
  viewer->fd = -1;
  closed++;
}

static void discard(Viewer *viewer) {
  static uint8_t heard[FIRST_BYTES];
  ssize_t got = is_ws ? recv(viewer->fd, heard, sizeof heard, MSG_DONTWAIT)
                      : recv(viewer->fd, NULL, 1 << 24, MSG_TRUNC | MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN)) return hang_up(viewer);
  if (got < 0) return;
  if (is_ws && !walk_bytes(&viewer->walk, heard, got)) return hang_up(viewer);
  viewer->bytes += got;
  viewer->total += got;
  if (app && !is_ws && viewer->total - viewer->acknowledged > ACK_BYTES) acknowledge(viewer);
}

static void acknowledge_some(void) {
  static time_t last;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  if (!app || is_ws || now.tv_sec == last) return;
  last = now.tv_sec;
  for (int i = last % ACK_SECONDS; i < count; i += ACK_SECONDS) {
    if (viewers[i].fd >= 0 && !viewers[i].is_stuck) acknowledge(&viewers[i]);
  }
}

/* Each twice a second, a part of them each time, as nobody's timers keep time together. */
static void tell_some_played(void) {
  static int64_t last;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int64_t now_ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
  if (!app || !is_ws) return;
  if (now_ms - last > PLAYED_MS) last = now_ms - PLAYED_MS;
  for (; last < now_ms; last++) {
    for (int i = last % PLAYED_MS; i < count; i += PLAYED_MS) {
      Viewer *viewer = &viewers[i];
      if (viewer->fd >= 0 && !viewer->is_stuck && viewer->walk.timestamp != viewer->told) tell_played(viewer);
    }
  }
}

static void obey(char *line);

static void listen_to_bench(void) {
  static char line[256];
  static size_t length;
  ssize_t got = read(0, line + length, sizeof line - 1 - length);
  if (got <= 0) exit(0);
  length += got;
  line[length] = 0;
  for (char *end; (end = strchr(line, '\n'));) {
    *end = 0;
    obey(line);
    length -= end + 1 - line;
    memmove(line, end + 1, length + 1);
  }
}

static void look(int patience_ms) {
  struct epoll_event events[1024];
  int ready = epoll_wait(epoll_fd, events, 1024, patience_ms);
  int is_asked = 0;
  for (int i = 0; i < ready; i++) {
    Viewer *viewer = events[i].data.ptr;
    if (!viewer) is_asked = 1;
    else if (viewer->fd >= 0 && viewer->is_stuck) hang_up(viewer);
    else if (viewer->fd >= 0) discard(viewer);
  }
  if (is_asked && patience_ms != 0) listen_to_bench();
}

static void obey(char *line) {
  int wanted = 0, streams = 1;
  if (sscanf(line, "open %d %d", &wanted, &streams) >= 1 || sscanf(line, "stuck %d", &wanted) == 1) {
    int is_stuck = line[0] == 's';
    for (int i = 0; i < wanted; i++) {
      open_viewer(count % streams, is_stuck);
      look(0);
    }
    printf("opened %d\n", count);
  } else if (!strcmp(line, "zero")) {
    for (int i = 0; i < count; i++) viewers[i].bytes = viewers[i].walk.messages = viewers[i].walk.frames = 0;
    printf("zeroed\n");
  } else if (!strcmp(line, "seen")) {
    uint64_t bytes = 0, least = UINT64_MAX, most = 0, fewest = UINT64_MAX, most_messages = 0, frames = 0;
    for (int i = 0; i < count; i++) {
      uint64_t own = viewers[i].bytes;
      bytes += own;
      if (own < least) least = own;
      if (own > most) most = own;
      uint64_t messages = viewers[i].walk.messages;
      if (messages < fewest) fewest = messages;
      if (messages > most_messages) most_messages = messages;
      frames += viewers[i].walk.frames;
    }
    if (count == 0) least = fewest = 0;
    printf("{\"viewers\":%d,\"closed\":%d,\"bytes\":%lu,\"least\":%lu,\"most\":%lu", count, closed, bytes, least, most);
    if (is_ws) printf(",\"fewest\":%lu,\"mostMessages\":%lu,\"frames\":%lu", fewest, most_messages, frames);
    printf("}\n");
  } else {
    errno = EINVAL;
    fail(line);
  }
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 5) fail("viewers PORT rtmp|ws [APP STREAM]");
  port = atoi(argv[1]);
  is_ws = !strcmp(argv[2], "ws");
  if (argc == 5) {
    app = argv[3];
    stream = argv[4];
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  epoll_fd = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &event) < 0) fail("epoll_ctl");
  printf("ready\n");
  for (;;) {
    look(1000);
    acknowledge_some();
    tell_some_played();
    usleep(REST_US);
  }
}
