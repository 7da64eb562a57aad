/** Names of codecs as browsers know them (RFC 6381), from the configuration records of their streams. */

/** From an AVCDecoderConfigurationRecord (ISO 14496-15, section 5.3.3.1), whose second to fourth byte it spells. */
export function avcName(record: Uint8Array): string {
  const [, profile = 0, constraints = 0, level = 0] = record;
  return `avc1.${hex(profile)}${hex(constraints)}${hex(level)}`;
}

/** From an HEVCDecoderConfigurationRecord (ISO 14496-15, section E.3). */
export function hevcName(record: Uint8Array): string {
  const [, profile = 0] = record;
  let flags = 0;
  for (let bit = 0; bit < 32; bit++)
    if (((record[2 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1) flags += 2 ** bit;
  const constraints = [...record.subarray(6, 12)];
  while (constraints.at(-1) === 0) constraints.pop();
  const space = ['', 'A', 'B', 'C'][profile >> 6];
  const tier = profile & 32 ? 'H' : 'L';
  const parts = [`${space}${profile & 31}`, flags.toString(16), `${tier}${record[12] ?? 0}`];
  return ['hvc1', ...parts, ...constraints.map((byte) => byte.toString(16))].join('.');
}

/** All that an AV1CodecConfigurationRecord says in its first four bytes (AV1 in ISO-BMFF, section 5). */
export function av1Name(record: Uint8Array): string {
  const [, second = 0, third = 0] = record;
  const depth = third & 64 ? (third & 32 ? 12 : 10) : 8;
  const colours = `${(third >> 4) & 1}.${(third >> 3) & 1}${(third >> 2) & 1}${third & 3}`;
  return `av01.${second >> 5}.${two(second & 31)}${third & 128 ? 'H' : 'M'}.${two(depth)}.${colours}.01.01.01.0`;
}

/** From a VPCodecConfigurationRecord with its version and flags in front (VP Codec ISO Media File Format Binding). */
export function vpName(codec: 'vp08' | 'vp09', record: Uint8Array): string {
  const [, , , , profile = 0, level = 0, depth = 0] = record;
  return `${codec}.${two(profile)}.${two(level)}.${two(depth >> 4)}`;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
