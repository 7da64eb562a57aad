import { z } from 'zod';
import { readSharedValue, sharedValueFrom, sharedValueOf } from '../../../wire/shared-values.ts';
import { firstProblem, quoted } from '../../base/check.ts';
import { describeError, StagewireError } from '../../base/errors.ts';
import { isNothing } from '../values.ts';
import type { ObjectKey, StoredObject } from './database.ts';

/**
 * Persistent shared objects as JSON lines, one object each: `{"app","instance","object","slots":{NAME: VALUE}}`. A value
 * is `{"json": ...}` where that says exactly the same, and `{"amf": "base64"}` where it does not: dates, typed objects,
 * cycles, and all that came in AMF3.
 */
const line = z.strictObject({
  app: z.string(),
  instance: z.string(),
  object: z.string(),
  slots: z.custom<Record<string, unknown>>((slots) => typeof slots === 'object' && slots !== null, {
    error: 'an object',
  }),
});
const slotValue = z.union([z.strictObject({ json: z.json() }), z.strictObject({ amf: z.base64() })]);

export interface ObjectLine extends ObjectKey {
  readonly values: ReadonlyMap<string, Uint8Array>;
}

export function lineOf({ app, instance, name }: ObjectKey, { slots }: StoredObject): string {
  const live = slots.flatMap(({ name: slot, value }) => (value ? [[slot, jsonOf(value)] as const] : []));
  return JSON.stringify({ app, instance, object: name, slots: Object.fromEntries(live) });
}

/** Throws `E_IMPORT` with what is wrong. */
export function readLine(text: string): ObjectLine {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw problem(`is not JSON: ${describeError(error, 200)}`);
  }
  const wrong = firstProblem(line, content);
  if (wrong) throw problem(`${wrong.what}${wrong.text}`);
  const { app, instance, object, slots } = line.parse(content);
  const values = Object.entries(slots).map(([name, value]): [string, Uint8Array] => {
    const where = `slots.${name.slice(0, 80)}`;
    const parsed = slotValue.safeParse(value);
    if (!parsed.success)
      throw problem(`${where} is ${quoted(value)}, expected {"json": a value} or {"amf": "base64"}`);
    const { bytes, isNone } = valueIn(parsed.data, where);
    if (isNone) throw problem(`${where} is nothing: no slot holds that`);
    return [name, bytes];
  });
  return { app, instance, name: object, values: new Map(values) };
}

function valueIn(
  value: { json: unknown } | { amf: string },
  where: string,
): { bytes: Uint8Array; isNone: boolean } {
  try {
    const shared =
      'json' in value
        ? sharedValueOf(value.json, 0)
        : sharedValueFrom(new Uint8Array(Buffer.from(value.amf, 'base64')));
    return { bytes: shared.bytes, isNone: isNothing(shared) };
  } catch (error) {
    throw problem(`${where}: ${describeError(error, 200)}`);
  }
}

function jsonOf(bytes: Uint8Array): { json: unknown } | { amf: string } {
  const value = sharedValueFrom(bytes);
  if (!value.hasAmf3) {
    const json = asJson(readSharedValue(value));
    if (json !== undefined && Buffer.compare(sharedValueOf(json, 0).bytes, bytes) === 0) return { json };
  }
  return { amf: Buffer.from(bytes).toString('base64') };
}

/** Undefined for what JSON cannot say at all, such as a cycle. */
function asJson(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value) ?? 'null');
  } catch {
    return undefined;
  }
}

function problem(text: string): StagewireError {
  return new StagewireError('E_IMPORT', 'host', text);
}
