/** Media messages that look real to a server: heads as in E.4.2 and E.4.3 of the FLV specification, bodies made up. */

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** AVCDecoderConfigurationRecord of a baseline stream. */
export const avcHeader = hex('17 00 000000 0142c00dffe1000a6742c00d95a0507e4401000468ce3c80');
export const aacHeader = hex('af 00 1210');

/** A key frame; `id` makes it recognizable. */
export const keyFrame = (id: number) => frame('17 01 000000 00000005 65', id);
export const interFrame = (id: number) => frame('27 01 000000 00000005 41', id);
export const aacFrame = (id: number) => frame('af 01', id);

function frame(head: string, id: number): Uint8Array {
  return hex(head + id.toString(16).padStart(8, '0'));
}

export const metadata = { width: 320, height: 240, videocodecid: 7, audiocodecid: 10, encoder: 'test' };
