import { Publisher, type PublisherOptions } from '../../../../client/media/publisher.ts';

/** Camera and microphone, or pictures that move and a tone. */
async function open(what: 'devices' | 'canvas'): Promise<MediaStream> {
  if (what === 'devices') {
    return navigator.mediaDevices.getUserMedia({ video: { width: 480, height: 360 }, audio: true });
  }
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [480, 360];
  const context = canvas.getContext('2d')!;
  setInterval(() => {
    for (let i = 0; i < 30; i++) {
      context.fillStyle = `hsl(${Math.random() * 360} 80% 50%)`;
      context.fillRect(Math.random() * 480, Math.random() * 360, 40, 40);
    }
  }, 40);
  return canvas.captureStream(25);
}

export interface Publishing {
  publisher: Publisher;
  /** What was told of it. */
  codes: string[];
}

/** Publishes to a WebSocket of the test: a frame for each message, with type and timestamp in front. */
export async function publish(
  url: string,
  what: 'devices' | 'canvas',
  options: Partial<PublisherOptions>,
): Promise<Publishing> {
  const socket = new WebSocket(url);
  await new Promise((resolve) => {
    socket.onopen = resolve;
  });
  const codes: string[] = [];
  const publisher = new Publisher({
    ...options,
    stream: await open(what),
    onStatus: ({ code }) => codes.push(code),
    onMessage(type, timestamp, payload) {
      const frame = new Uint8Array(5 + payload.length);
      const view = new DataView(frame.buffer);
      view.setUint8(0, type);
      view.setUint32(1, timestamp);
      frame.set(payload, 5);
      socket.send(frame);
    },
  });
  return { publisher, codes };
}
