import { publishMedia } from '/publish.js';

const CAMERA = { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24, max: 30 } };
const SCREEN = { width: { max: 1920 }, height: { max: 1080 }, frameRate: { max: 15 } };
const LISTEN_MS = 150;
/** Of full scale, and how long a pause in a sentence may be. */
const LOUD = 0.02;
const PAUSE_MS = 700;

/** Why there is no camera or no microphone, in words. */
export function whyNot(error, what) {
  switch (error.name) {
    case 'NotAllowedError':
      return `The browser may not use the ${what}: allow it beside the address of this page.`;
    case 'NotFoundError':
    case 'OverconstrainedError':
      return `This machine has no ${what}.`;
    case 'NotReadableError':
      return `The ${what} is taken by another program, or out of order.`;
    default:
      return `There is no ${what}: ${error.message}`;
  }
}

/** Camera or screen, and microphone: opened when they are wanted, and published on a stream. */
export class OwnMedia {
  /** Of which what others see comes. */
  #camera;
  #screen;
  #microphone;
  #stream;
  #name;
  #onChange;
  #meter;

  /** `onChange(shown)`: others get something else; `onSpeaking(isSpeaking)`. */
  constructor(stream, onChange, onSpeaking) {
    this.#stream = stream;
    this.#onChange = onChange;
    this.#meter = new Meter(onSpeaking);
  }

  get shown() {
    return {
      camera: this.#camera !== undefined,
      microphone: this.#microphone?.enabled ?? false,
      screen: this.#screen !== undefined,
    };
  }

  /** For the page's own `<video>`; null for none. */
  get pictures() {
    const track = this.#screen ?? this.#camera;
    return track ? new MediaStream([track]) : null;
  }

  /** Publishes under that name what there is, and will be. */
  publish(name) {
    this.#name = name;
    this.#publish();
  }

  /** Until there is a name again. */
  pause() {
    this.#name = undefined;
    this.#stream.publish(false);
  }

  /** Its light goes out when it is off. */
  async setCamera(isOn) {
    this.#camera?.stop();
    this.#camera = isOn ? await this.#open({ video: CAMERA }) : undefined;
    this.#changed();
  }

  async setMicrophone(isOn) {
    if (!this.#microphone) {
      if (!isOn) return;
      this.#microphone = await this.#open({ audio: true });
      this.#meter.listen(this.#microphone);
      this.#changed();
    } else {
      // The stream goes on, silent.
      this.#microphone.enabled = isOn;
      this.#onChange(this.shown);
    }
  }

  async setScreen(isOn) {
    this.#screen?.stop();
    this.#screen = undefined;
    if (isOn) {
      const media = await navigator.mediaDevices.getDisplayMedia({ video: SCREEN, audio: false });
      const [track] = media.getVideoTracks();
      // The browser has a button of its own to end it.
      track.onended = () => this.setScreen(false);
      this.#screen = track;
    }
    this.#changed();
  }

  close() {
    this.pause();
    for (const track of [this.#camera, this.#screen, this.#microphone]) track?.stop();
    this.#camera = this.#screen = this.#microphone = undefined;
    this.#meter.close();
  }

  async #open(constraints) {
    if (!navigator.mediaDevices)
      throw new Error('browsers have one for pages of https:// and of this machine only');
    const [track] = (await navigator.mediaDevices.getUserMedia(constraints)).getTracks();
    track.onended = () => this.#lost(track);
    return track;
  }

  /** It was unplugged. */
  #lost(track) {
    if (track === this.#camera) this.#camera = undefined;
    if (track === this.#microphone) this.#microphone = undefined;
    this.#changed();
  }

  #changed() {
    this.#publish();
    this.#onChange(this.shown);
  }

  /** Other tracks are another publication: whoever comes later must not get pictures of before. */
  #publish() {
    const tracks = [this.#screen ?? this.#camera, this.#microphone].filter((track) => track !== undefined);
    this.#stream.publish(false);
    if (this.#name === undefined || tracks.length === 0) return;
    publishMedia(this.#stream, new MediaStream(tracks), {
      videoBitrate: this.#screen ? 1_500_000 : 600_000,
      framerate: this.#screen ? 15 : 24,
      audioBitrate: 48_000,
    });
    this.#stream.publish(this.#name);
  }
}

/** Hears whether somebody speaks. */
class Meter {
  #onSpeaking;
  #context;
  #timer;

  constructor(onSpeaking) {
    this.#onSpeaking = onSpeaking;
  }

  listen(track) {
    this.close();
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let isSpeaking = false;
    let heardAt = -Infinity;
    this.#context = context;
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const level = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
      if (level > LOUD) heardAt = performance.now();
      const isLoud = performance.now() - heardAt < PAUSE_MS;
      if (isLoud !== isSpeaking) this.#onSpeaking(isLoud);
      isSpeaking = isLoud;
    }, LISTEN_MS);
  }

  close() {
    clearInterval(this.#timer);
    this.#context?.close();
    this.#context = undefined;
  }
}
