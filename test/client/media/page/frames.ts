import type { Shown } from '../stage-state.ts';

export interface Arrivals {
  arrived(timestamp: number): void;
}

const BITS = 12;
const FRAME_MS = 40;

type Watch = Arrivals & { shown: Shown[] };

/** Reads the number of each picture that a video shows: 12 squares along its upper edge, the lowest bit first. */
export function watch(video: HTMLVideoElement): Watch {
  const { saw, ...watching } = journal();
  const read = numberReader();
  const next = () => {
    saw(read(video, video.videoWidth));
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
  return watching;
}

/** The same of a canvas, once each number. */
export function watchCanvas(canvas: HTMLCanvasElement): Watch {
  const { saw, ...watching } = journal();
  const read = numberReader();
  const next = () => {
    requestAnimationFrame(next);
    if (canvas.width <= 300) return; // as wide as one that nobody has drawn on
    const frame = read(canvas, canvas.width);
    if (frame !== watching.shown.at(-1)?.frame) saw(frame);
  };
  next();
  return watching;
}

function journal(): Watch & { saw(frame: number): void } {
  const shown: Shown[] = [];
  let fastest = Infinity;
  return {
    shown,
    saw: (frame) => void shown.push({ frame, delayMs: performance.now() - frame * FRAME_MS - fastest }),
    // FFmpeg stamps the first picture 0.
    arrived(timestamp) {
      fastest = Math.min(fastest, performance.now() - timestamp);
    },
  };
}

export function numberReader(): (picture: CanvasImageSource, width: number) => number {
  const canvas = new OffscreenCanvas(BITS, 1);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  return (picture, width) => {
    const square = width / BITS;
    context.drawImage(picture, 0, 0, width, square, 0, 0, BITS, 1);
    const { data } = context.getImageData(0, 0, BITS, 1);
    let number = 0;
    for (let bit = 0; bit < BITS; bit++) if (data[bit * 4]! > 127) number += 2 ** bit;
    return number;
  };
}
