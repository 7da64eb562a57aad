/** Both ends of a stream over WebSocket: the client of pages, and bare frames for the floor. */
import { WebSocket } from 'ws';
import { NetConnection, NetStream } from '../../client/index.ts';
import type { RtmpMessage } from '../../wire/messages.ts';
import { PACKET_HEAD_BYTES, writePacket } from '../../wire/packets.ts';

export interface End {
  close(): void;
}

/** Sends each message in a frame of its own. */
export async function openPacketSender(port: number): Promise<End & { send(message: RtmpMessage): void }> {
  const webSocket = await openWebSocket(port);
  return {
    send(message) {
      const packet = Buffer.allocUnsafe(PACKET_HEAD_BYTES + message.payload.length);
      writePacket(packet, 0, message, message.streamId);
      webSocket.send(packet);
    },
    close: () => webSocket.terminate(),
  };
}

/** Hears the bodies of what such a sender sends through the floor. */
export async function watchPackets(port: number, onBody: (payload: Uint8Array) => void): Promise<End> {
  const webSocket = await openWebSocket(port);
  webSocket.on('message', (packet: Buffer) => onBody(packet.subarray(PACKET_HEAD_BYTES)));
  return { close: () => webSocket.terminate() };
}

/** Plays a stream as pages do, and has played each message when it comes. */
export async function watchStream(
  url: string,
  name: string,
  onBody: (payload: Uint8Array) => void,
): Promise<End> {
  const connection = new NetConnection();
  connection.reconnectMs = 0;
  await connection.connect(url);
  const stream = new NetStream(connection);
  let played: number | undefined;
  const heard = (timestamp: number, payload: Uint8Array) => {
    played = timestamp;
    onBody(payload);
  };
  stream.sink = {
    audio: heard,
    video: heard,
    reset() {},
    get played() {
      return played;
    },
  };
  await new Promise<void>((resolve) => {
    stream.onStatus = ({ code }) => {
      if (code === 'NetStream.Play.Start') resolve();
    };
    stream.play(name);
  });
  return connection;
}

function openWebSocket(port: number): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
    webSocket.once('open', () => resolve(webSocket));
    webSocket.once('error', reject);
  });
}
