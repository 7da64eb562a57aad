/*
 * `fan-out`: the floor under one stream for many viewers. What the first connection sends, in pieces of four bytes of
 * length and as many bytes, goes to all later ones by one non-blocking send() each; what a socket does not take is
 * kept for it. Prints `ready PORT`.
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
#include <unistd.h>

enum { MAX_VIEWERS = 20000, PIECE_BYTES = 1 << 22 };

typedef struct {
  int fd;
  int slot;
  uint8_t *kept;
  size_t length;
} Viewer;

static Viewer *viewers[MAX_VIEWERS];
static int count, epoll_fd, listener;
static Viewer publisher = {.fd = -1};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int fd, uint32_t events, void *who, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = who};
  if (epoll_ctl(epoll_fd, operation, fd, &event) < 0) fail("epoll_ctl");
}

static void accept_one(void) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (publisher.fd < 0) {
    publisher.fd = fd;
    return watch(fd, EPOLLIN, &publisher, EPOLL_CTL_ADD);
  }
  if (count == MAX_VIEWERS) fail("too many viewers");
  Viewer *viewer = calloc(1, sizeof *viewer);
  viewer->fd = fd;
  viewer->slot = count;
  viewers[count++] = viewer;
  watch(fd, EPOLLRDHUP, viewer, EPOLL_CTL_ADD);
}

static void leave(Viewer *viewer) {
  close(viewer->fd);
  viewers[viewer->slot] = viewers[--count];
  viewers[viewer->slot]->slot = viewer->slot;
  free(viewer->kept);
  free(viewer);
}

static void keep(Viewer *viewer, const uint8_t *bytes, size_t length) {
  if (viewer->length == 0) watch(viewer->fd, EPOLLRDHUP | EPOLLOUT, viewer, EPOLL_CTL_MOD);
  viewer->kept = realloc(viewer->kept, viewer->length + length);
  if (!viewer->kept) fail("realloc");
  memcpy(viewer->kept + viewer->length, bytes, length);
  viewer->length += length;
}

static void send_kept(Viewer *viewer) {
  ssize_t sent = send(viewer->fd, viewer->kept, viewer->length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent <= 0) return;
  viewer->length -= sent;
  memmove(viewer->kept, viewer->kept + sent, viewer->length);
  if (viewer->length == 0) watch(viewer->fd, EPOLLRDHUP, viewer, EPOLL_CTL_MOD);
}

static void fan_out(const uint8_t *bytes, size_t length) {
  for (int i = 0; i < count; i++) {
    Viewer *viewer = viewers[i];
    ssize_t sent = 0;
    if (viewer->length == 0) sent = send(viewer->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) sent = 0; /* Full, or gone: epoll says which. */
    if ((size_t)sent < length) keep(viewer, bytes + sent, length - sent);
  }
}

static void read_publisher(void) {
  static uint8_t bytes[PIECE_BYTES];
  static size_t have;
  ssize_t got = recv(publisher.fd, bytes + have, sizeof bytes - have, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN)) exit(0);
  if (got < 0) return;
  have += got;
  size_t at = 0;
  while (have - at >= 4) {
    uint32_t length;
    memcpy(&length, bytes + at, 4);
    length = ntohl(length);
    if (length > PIECE_BYTES - 4) fail("a piece is too long");
    if (have - at - 4 < length) break;
    fan_out(bytes + at + 4, length);
    at += 4 + length;
  }
  have -= at;
  memmove(bytes, bytes + at, have);
}

int main(void) {
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1024) < 0) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &size);
  epoll_fd = epoll_create1(0);
  watch(listener, EPOLLIN, NULL, EPOLL_CTL_ADD);
  printf("ready %d\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait(epoll_fd, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      Viewer *who = events[i].data.ptr;
      if (!who) accept_one();
      else if (who == &publisher) read_publisher();
      else if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) leave(who);
      else send_kept(who);
    }
  }
}
