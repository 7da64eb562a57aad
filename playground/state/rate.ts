/** Bits in a second, of a count of bytes that is looked at now and then. */
export class Rate {
  #bytes = 0;
  #at = performance.now();

  next(bytes: number): number {
    const now = performance.now();
    const rate = ((bytes - this.#bytes) * 8000) / Math.max(1, now - this.#at);
    this.#bytes = bytes;
    this.#at = now;
    return Math.max(0, rate);
  }
}

/** `1.2 Mb/s`. */
export function bitsText(bits: number): string {
  return bits >= 1_000_000 ? `${(bits / 1_000_000).toFixed(1)} Mb/s` : `${Math.round(bits / 1000)} kb/s`;
}

export function bytesText(bytes: number): string {
  if (bytes >= 1_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return bytes >= 1000 ? `${Math.round(bytes / 1000)} KB` : `${bytes} B`;
}
