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
      return `This machine has no ${what}.`;
    case 'NotReadableError':
      return `The ${what} is taken by another program, or out of order.`;
    default:
      return `The browser does not give the ${what}: ${error.message}`;
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
  #closings = 0;

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

  /** One question to the user for both; where one is missing there may be the other. Returns what went wrong, and with what. */
  async begin({ camera, microphone }) {
    const faults = [];
    const open = (wanted, what) => this.#open(wanted).catch((error) => void faults.push([error, what]));
    const [video, audio] = [camera && CAMERA, microphone];
    if (camera && microphone) {
      await open({ video, audio }, 'camera and the microphone');
      const [fault] = faults;
      if (!fault || fault[0].name === 'NotAllowedError') return faults;
      faults.pop();
    }
    if (microphone) await open({ audio }, 'microphone');
    if (camera) await open({ video }, 'camera');
    return faults;
  }

  /** Its light goes out when it is off. */
  async setCamera(isOn) {
    this.#camera?.stop();
    this.#camera = undefined;
    if (isOn) await this.#open({ video: CAMERA });
    else this.#changed();
  }

  async setMicrophone(isOn) {
    if (isOn && !this.#microphone) return this.#open({ audio: true });
    // The stream goes on, silent.
    if (this.#microphone) this.#microphone.enabled = isOn;
    this.#onChange(this.shown);
  }

  async setScreen(isOn) {
    this.#screen?.stop();
    this.#screen = undefined;
    if (isOn) {
      const closings = this.#closings;
      const media = await navigator.mediaDevices.getDisplayMedia({ video: SCREEN, audio: false });
      const [track] = media.getVideoTracks();
      if (closings !== this.#closings) return stop(track);
      // The browser has a button of its own to end it.
      track.onended = () => this.setScreen(false);
      this.#screen = track;
    }
    this.#changed();
  }

  /** Nothing is open any more, and what the user is just asked for will not be. */
  close() {
    this.#closings++;
    stop(this.#camera, this.#screen, this.#microphone);
    this.#camera = this.#screen = this.#microphone = undefined;
    this.#meter.close();
    this.#changed();
  }

  async #open(constraints) {
    if (!navigator.mediaDevices)
      throw new Error('browsers give it to pages of https:// and of this machine only');
    const closings = this.#closings;
    const media = await navigator.mediaDevices.getUserMedia(constraints);
    if (closings !== this.#closings) return stop(...media.getTracks());
    for (const track of media.getTracks()) {
      track.onended = () => this.#lost(track);
      if (track.kind === 'video') {
        this.#camera?.stop();
        this.#camera = track;
      } else {
        this.#microphone?.stop();
        this.#microphone = track;
        this.#meter.listen(track);
      }
    }
    this.#changed();
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
      // Only browsers are in these rooms: they need no AAC, which costs more.
      audioCodecs: ['Opus', 'mp4a'],
    });
    this.#stream.publish(this.#name);
  }
}

function stop(...tracks) {
  for (const track of tracks) track?.stop();
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
