/** What the page tells the worklet: sound to play, or how to. */
export type ToWorklet = Heard | Pace;

export interface Heard {
  readonly channels: Float32Array<ArrayBuffer>[];
  readonly timeMs: number;
}

/** `rate`: 0 is silence. `skip`: whatever is beyond the target is left out. */
export interface Pace {
  readonly rate: number;
  readonly targetMs: number;
  readonly skip: boolean;
}

/** How far the worklet is. */
export interface FromWorklet {
  /** Of the sample that goes out now. */
  readonly timeMs: number;
  readonly bufferedMs: number;
  /** It ran dry since the last report. */
  readonly isDry: boolean;
  /** It waits until there is enough. */
  readonly isWaiting: boolean;
}

// Names of the worklet's own global scope.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: unknown): void;

export const WORKLET = 'stagewire-sound';

/** The script of the worklet. It is the text of a function, which must use nothing from outside of it. */
export const workletScript = () =>
  URL.createObjectURL(new Blob([`(${main})('${WORKLET}')`], { type: 'text/javascript' }));

function main(name: string): void {
  const REPORT_FRAMES = sampleRate / 40;
  /** Of a recording as much is here as the server sends ahead. What is live is told to skip long before. */
  const MAX_FRAMES = sampleRate * 60;

  /** Plays what it is given, a little faster or slower if it is told so, and reports how far it is. */
  class Sound extends AudioWorkletProcessor {
    queue: { channels: Float32Array[]; timeMs: number }[] = [];
    /** Where in the first of the queue. */
    at = 0;
    frames = 0;
    rate = 1;
    targetFrames = 0;
    isWaiting = true;
    isDry = false;
    sinceReport = 0;
    timeMs = 0;

    constructor() {
      super();
      this.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => {
        if ('channels' in data) this.take(data);
        else {
          this.rate = data.rate;
          this.targetFrames = (data.targetMs * sampleRate) / 1000;
          if (data.skip) this.shorten(this.targetFrames);
        }
      };
    }

    take(sound: { channels: Float32Array[]; timeMs: number }): void {
      this.queue.push(sound);
      this.frames += sound.channels[0]!.length;
      if (this.frames > MAX_FRAMES) this.shorten(this.targetFrames);
    }

    /** Leaves out the oldest. */
    shorten(frames: number): void {
      while (this.queue.length > 1 && this.frames > frames) this.next();
    }

    next(): void {
      const length = this.queue.shift()!.channels[0]!.length;
      this.frames -= length;
      this.at = Math.max(0, this.at - length);
    }

    process(_: unknown, [output]: Float32Array[][]): boolean {
      const length = output![0]!.length;
      if (this.isWaiting && this.frames >= this.targetFrames && this.frames > 0) this.isWaiting = false;
      if (!this.isWaiting && this.rate > 0) this.play(output!, length);
      this.sinceReport += length;
      if (this.sinceReport >= REPORT_FRAMES) this.report();
      return true;
    }

    play(output: Float32Array[], length: number): void {
      if (this.rate === 1) this.at = Math.round(this.at);
      for (let i = 0; i < length; i++) {
        while (this.queue.length > 0 && this.at >= this.queue[0]!.channels[0]!.length) this.next();
        const first = this.queue[0];
        if (!first) {
          this.isWaiting = true;
          this.isDry = true;
          return;
        }
        const index = Math.floor(this.at);
        const part = this.at - index;
        for (let channel = 0; channel < output.length; channel++) {
          const samples = first.channels[channel] ?? first.channels[0]!;
          const sample = samples[index]!;
          output[channel]![i] = sample + part * ((samples[index + 1] ?? sample) - sample);
        }
        this.at += this.rate;
      }
      const [first] = this.queue;
      if (first) this.timeMs = first.timeMs + (this.at / sampleRate) * 1000;
    }

    report(): void {
      this.sinceReport = 0;
      const { timeMs, isDry, isWaiting } = this;
      const bufferedMs = ((this.frames - this.at) / sampleRate) * 1000;
      this.port.postMessage({ timeMs, bufferedMs, isDry, isWaiting } satisfies FromWorklet);
      this.isDry = false;
    }
  }

  registerProcessor(name, Sound);
}
