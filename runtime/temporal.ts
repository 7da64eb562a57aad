import { hide, turnTime } from './clock.ts';
import { defineLazily } from './parts.ts';
import { apply, defineProperty, deleteProperty, hasOwn, NativeDate, trunc } from './primordials.ts';

const { toStringTag } = Symbol;

interface Instant {
  toZonedDateTimeISO(zone: unknown): Zoned;
  since(other: Instant): object;
}
interface Zoned {
  toPlainDateTime(): object;
  toPlainDate(): { toPlainYearMonth(): object; toPlainMonthDay(): object };
  toPlainTime(): object;
}
type InstantClass = { fromEpochMilliseconds(ms: number): Instant };

/**
 * `Temporal`, whose clock is the turn's. V8 makes its own when the global is first read, and then it is a twelfth of an
 * idle instance: so nobody reads that one, and ours is put together, when a script first asks, from the classes that a
 * date leads to. What `Temporal.Now` of V8 would tell, the real time, is out of reach.
 */
export function installTemporal(global: typeof globalThis): void {
  if (!hasOwn(NativeDate.prototype, 'toTemporalInstant')) return;
  // To redefine it would be to read it.
  deleteProperty(global, 'Temporal');
  defineLazily(global, 'Temporal', makeTemporal);
}

/** Of a script that has patched what this uses, it gets what it has made of that. */
function makeTemporal(): object {
  const { toTemporalInstant } = NativeDate.prototype as Date & { toTemporalInstant(): Instant };
  const now = apply(toTemporalInstant, new NativeDate(turnTime()), []);
  const zoned = now.toZonedDateTimeISO('UTC');
  const date = zoned.toPlainDate();
  const Instant = now.constructor as unknown as InstantClass;
  const temporal = {};
  hide(temporal, 'Now', makeNow(Instant));
  hide(temporal, 'PlainDate', date.constructor);
  hide(temporal, 'PlainTime', zoned.toPlainTime().constructor);
  hide(temporal, 'PlainDateTime', zoned.toPlainDateTime().constructor);
  hide(temporal, 'ZonedDateTime', zoned.constructor);
  hide(temporal, 'Duration', now.since(now).constructor);
  hide(temporal, 'Instant', Instant);
  hide(temporal, 'PlainYearMonth', date.toPlainYearMonth().constructor);
  hide(temporal, 'PlainMonthDay', date.toPlainMonthDay().constructor);
  tag(temporal, 'Temporal');
  return temporal;
}

function makeNow({ fromEpochMilliseconds }: InstantClass): object {
  const instant = () => fromEpochMilliseconds(trunc(turnTime()));
  const zoned = (zone: unknown = 'UTC') => instant().toZonedDateTimeISO(zone);
  const now = {};
  hide(now, 'instant', instant);
  hide(now, 'timeZoneId', () => 'UTC');
  hide(now, 'plainDateTimeISO', (zone?: unknown) => zoned(zone).toPlainDateTime());
  hide(now, 'zonedDateTimeISO', zoned);
  hide(now, 'plainDateISO', (zone?: unknown) => zoned(zone).toPlainDate());
  hide(now, 'plainTimeISO', (zone?: unknown) => zoned(zone).toPlainTime());
  tag(now, 'Temporal.Now');
  return now;
}

function tag(target: object, value: string): void {
  const descriptor = { __proto__: null, value, configurable: true } as PropertyDescriptor;
  defineProperty(target, toStringTag, descriptor);
}
