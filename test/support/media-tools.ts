import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { inTime } from './journal.ts';
import type { Tool } from './tools.ts';

export interface ToolEnd {
  code: number | null;
  output: string;
  errors: string;
}

/** A program that runs beside the test and is killed when the test ends. */
export class RunningTool {
  readonly ended: Promise<ToolEnd>;
  isRunning = true;
  readonly #child: ChildProcess;

  constructor(tool: Tool, args: string[]) {
    const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        this.isRunning = false;
        resolve({ code, output, errors });
      });
    });
    onTestFinished(() => void child.kill('SIGKILL'));
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }

  end(): Promise<ToolEnd> {
    return inTime('the tool to end', this.ended, 30_000);
  }
}

/** A folder for what a test makes; it goes when the test ends. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stagewire-media-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A clip with H.264 and AAC, a key frame every half second. */
export async function makeClip(folder: string, seconds: number): Promise<string> {
  const file = join(folder, 'clip.flv');
  const video = ['-f', 'lavfi', '-i', `testsrc=size=320x240:rate=20:duration=${seconds}`];
  const audio = ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`];
  const codecs = [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-g',
    '10',
    '-pix_fmt',
    'yuv420p',
    '-c:a',
    'aac',
  ];
  const { code, errors } = await new RunningTool('ffmpeg', [
    '-v',
    'error',
    ...video,
    ...audio,
    ...codecs,
    file,
  ]).end();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return file;
}

/** Publishes a file at the speed of its clock. */
export function publishFile(file: string, url: string, ...options: string[]): RunningTool {
  return new RunningTool('ffmpeg', [
    '-v',
    'error',
    '-re',
    '-i',
    file,
    '-c',
    'copy',
    '-f',
    'flv',
    ...options,
    url,
  ]);
}

/** Both tracks are there, last about `seconds`, and decode without a word of complaint. */
export async function expectPlayable(file: string, seconds: { atLeast: number }): Promise<void> {
  const entries = 'stream=codec_type,codec_name:format=duration';
  const probe = await new RunningTool('ffprobe', [
    '-v',
    'error',
    '-show_entries',
    entries,
    '-of',
    'json',
    file,
  ]).end();
  expect(probe.errors).toBe('');
  const { streams, format } = JSON.parse(probe.output) as {
    streams: { codec_type: string; codec_name: string }[];
    format: { duration: string };
  };
  expect(streams.map(({ codec_type, codec_name }) => `${codec_type} ${codec_name}`).sort()).toEqual([
    'audio aac',
    'video h264',
  ]);
  expect(Number(format.duration)).toBeGreaterThan(seconds.atLeast);
  const decode = await new RunningTool('ffmpeg', ['-v', 'error', '-i', file, '-f', 'null', '-']).end();
  expect({ code: decode.code, errors: decode.errors }).toEqual({ code: 0, errors: '' });
}

export interface Packet {
  codec_type: string;
  dts: number;
  size: string;
}

/** The packets of a file, in its order, as ffprobe reads them. */
export async function packetsOf(file: string): Promise<Packet[]> {
  const entries = ['-show_packets', '-show_entries', 'packet=codec_type,dts,size', '-of', 'json'];
  const { code, output, errors } = await new RunningTool('ffprobe', ['-v', 'error', ...entries, file]).end();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return (JSON.parse(output) as { packets: Packet[] }).packets;
}
