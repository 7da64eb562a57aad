import { decodeAmf0, encodeAmf0 } from '../../wire/amf0.ts';
import { describeError, StagewireError } from '../base/errors.ts';

/** Answers one kind of blocking request. Its arguments come from a script: they may be anything. Throws to refuse. */
export type Answerer = (...args: unknown[]) => unknown;

/** Questions of scripts are small: what they hold is bounded by that and by their size. */
const LIMITS = { depth: 16, values: 65_536 };

/** Answers a blocking request (runtime/wall/asks.ts) by the name that it carries. Never rejects. */
export async function answer(
  question: Uint8Array,
  answerers: Readonly<Record<string, Answerer>>,
): Promise<Uint8Array> {
  try {
    const [name, args] = decodeAmf0(question, LIMITS);
    const answerer = typeof name === 'string' && Object.hasOwn(answerers, name) ? answerers[name] : undefined;
    if (!answerer || !Array.isArray(args))
      throw new StagewireError('E_ASK', 'app', `nobody answers ${String(name)}`);
    return encodeAmf0([true, await answerer(...args)]);
  } catch (error) {
    if (error instanceof StagewireError) return encodeAmf0([false, error.message, error.code]);
    return encodeAmf0([false, describeError(error), 'E_ASK']);
  }
}
