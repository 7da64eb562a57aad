/** What `bench/pages` asks of this page about streams: to play one, and which pictures were to be seen when. */
import { NetConnection, NetStream } from '/client.js';
import { attachCanvas } from '/low-latency.js';
import { attachVideo } from '/media.js';

/** As bench/pages/pictures.ts draws them. */
const BITS = 12;

const video = document.createElement('video');
const canvas = document.createElement('canvas');
/** Number of a picture, and when it was seen first, by this page's clock. */
const shown = [];
let player;

/** Plays a stream by MSE (`mse`) or WebCodecs (`low-latency`), or a file as browsers do it (`file`). */
async function play(how, name) {
  document.body.append(how === 'low-latency' ? canvas : video);
  if (how === 'file') {
    Object.assign(video, { src: name, loop: true });
    return video.play();
  }
  const connection = new NetConnection();
  await connection.connect('/watch');
  const stream = new NetStream(connection);
  player = how === 'mse' ? attachVideo(stream, video) : attachCanvas(stream, canvas);
  stream.play(name);
}

/** From now on numbers are read. It costs the page a little. */
function read() {
  const small = new OffscreenCanvas(BITS, 1);
  const context = small.getContext('2d', { willReadFrequently: true });
  const look = (picture, width) => {
    context.drawImage(picture, 0, 0, width, Math.floor(width / BITS), 0, 0, BITS, 1);
    const { data } = context.getImageData(0, 0, BITS, 1);
    let number = 0;
    for (let bit = 0; bit < BITS; bit++) if (data[bit * 4] > 127) number += 2 ** bit;
    if (number !== shown.at(-1)?.[0]) shown.push([number, performance.now()]);
  };
  const eachPresented = () => {
    look(video, video.videoWidth);
    video.requestVideoFrameCallback(eachPresented);
  };
  // The player has drawn before: its request is the older one.
  const eachDrawn = () => {
    if (canvas.width > 300) look(canvas, canvas.width); // wider than one that nobody has drawn on
    requestAnimationFrame(eachDrawn);
  };
  if (video.isConnected) video.requestVideoFrameCallback(eachPresented);
  else requestAnimationFrame(eachDrawn);
}

function state() {
  const { totalVideoFrames, droppedVideoFrames } = video.getVideoPlaybackQuality();
  const { decodedFrames, droppedFrames, delayMs, targetMs, stalls } = player?.stats ?? {};
  return {
    decoded: decodedFrames ?? totalVideoFrames,
    dropped: droppedFrames ?? droppedVideoFrames,
    delayMs,
    targetMs,
    stalls,
    shown,
  };
}

globalThis.watch = { play, read, state };
