// Tries: to change an object while it is encoded: arrays shrink, keys come and go, buffers are detached and
// resized.
// Attack: call
// Ends: none | cpu

const shrink = [
  1,
  2,
  {
    get cut() {
      shrink.length = 0;
      return shrink;
    },
  },
  4,
  5,
];
const grow = {
  get a() {
    for (let i = 0; i < 100; i++) grow[`k${i}`] = grow;
    return i++;
  },
};
let i = 0;
const buffer = new ArrayBuffer(64, { maxByteLength: 4096 });
const view = new Uint8Array(buffer);
const values = [
  shrink,
  grow,
  [
    {
      get shrinkBuffer() {
        buffer.resize(1);
        return 1;
      },
    },
    view,
    {
      get growBuffer() {
        buffer.resize(4096);
        return 2;
      },
    },
    view,
  ],
  {
    get self() {
      delete this.next;
      return this;
    },
    next: 1,
  },
  [
    {
      get detach() {
        return buffer.transfer();
      },
    },
    view,
  ],
];
Client.prototype.attack = function () {
  for (const value of values) {
    try {
      this.call('echo', null, value, value);
    } catch (error) {
      trace(`refused: ${error.message}`);
    }
  }
  return values;
};
