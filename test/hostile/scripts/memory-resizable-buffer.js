// Tries: to grow a resizable buffer into the terabyte that it reserved, writing every page.
// Attack: call
// Ends: any

Client.prototype.attack = () => {
  for (let exponent = 40; exponent > 20; exponent--) {
    try {
      const buffer = new ArrayBuffer(0, { maxByteLength: 2 ** exponent });
      for (let size = 1 << 20; ; size *= 2) {
        buffer.resize(Math.min(size, buffer.maxByteLength));
        new Uint8Array(buffer).fill(1);
        if (buffer.byteLength === buffer.maxByteLength) break;
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return 'survived';
};
