import { computed, signal, useSignal, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Code, Coloured } from '../parts/code.tsx';
import { Empty } from '../parts/empty.tsx';
import { Field } from '../parts/field.tsx';
import { Form } from '../parts/form.tsx';
import { present } from '../state/house.ts';
import { isConnected, place } from '../state/session.ts';
import * as share from '../state/share.ts';
import { parseArguments, parseValue } from '../text/json.ts';
import { shareCode } from '../text/snippets.ts';

const slotName = signal('');
const slotText = signal('');
const sentMethod = signal('');
const sentText = signal('');
const parsedSlot = computed(() => parseValue(slotText.value));
const parsedSent = computed(() => parseArguments(sentText.value));

export function SharePanel() {
  const object = share.share.value;
  const known = present.value?.sharedObjects ?? [];
  const isOpenable = isConnected.value && share.name.value !== '';
  return (
    <>
      <Form
        class="row"
        onSubmit={() => {
          if (object) share.close();
          else if (isOpenable) share.open();
        }}
      >
        <Field
          class="wide"
          label="Name"
          value={share.name}
          placeholder="board"
          choices={known.map(({ name }) => name)}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={share.isPersistent.value}
            disabled={object !== undefined}
            onChange={({ currentTarget }) => {
              share.isPersistent.value = currentTarget.checked;
            }}
          />
          persistent
        </label>
        <button type="submit" class={object ? 'quiet' : 'main'} disabled={!object && !isOpenable}>
          {object ? 'Close' : 'Open'}
        </button>
      </Form>
      {share.problem.value !== '' && (
        <div class="banner bad" role="alert">
          <strong>{share.problem.value}</strong>
        </div>
      )}
      {object ? <Slots /> : <NothingOpen known={known} />}
    </>
  );
}

export function ShareCode() {
  const code = shareCode(place.value, share.name.value, share.isPersistent.value, share.action.value);
  return <Code title="The code" text={code} />;
}

function NothingOpen({ known }: { known: readonly { name: string; persistent: boolean; slots: number }[] }) {
  const choose = (name: string, isPersistent: boolean) => {
    share.name.value = name;
    share.isPersistent.value = isPersistent;
    if (isConnected.value) share.open();
  };
  return (
    <Empty title={isConnected.value ? 'Open a shared object.' : 'Connect, then open a shared object.'}>
      <p>
        Everybody who has it sees each change at once. One that nobody has made yet is empty. Persistent ones
        are on disk.
      </p>
      {known.length > 0 && (
        <p class="chips">
          {known.map(({ name, persistent, slots }) => (
            <button
              key={`${persistent}/${name}`}
              type="button"
              class="chip"
              onClick={() => choose(name, persistent)}
            >
              {name} <small>{persistent ? `${slots} slots, on disk` : `${slots} slots`}</small>
            </button>
          ))}
        </p>
      )}
    </Empty>
  );
}

function Slots() {
  const { value: slots } = share.slots;
  const hidden = share.size.value - slots.length;
  return (
    <>
      {slots.length === 0 ? (
        <Empty title={share.isReady.value ? 'It has no slots.' : 'Waiting for its content …'}>
          <p>Add one below: it is everybody’s at once.</p>
        </Empty>
      ) : (
        <table class="slots">
          <caption class="sr">Slots</caption>
          <thead>
            <tr>
              <th scope="col">Slot</th>
              <th scope="col">Value</th>
              <th scope="col">
                <button type="button" class="small" onClick={share.clear}>
                  Delete all
                </button>
              </th>
            </tr>
          </thead>
          <tbody>
            {slots.map((slot) => (
              <Row key={slot.name} {...slot} />
            ))}
          </tbody>
        </table>
      )}
      {hidden > 0 && <p class="note">and {hidden} more</p>}
      <Form
        class="row"
        onSubmit={() => {
          const { value, problem } = parsedSlot.value;
          if (slotName.value === '' || problem !== undefined) return;
          share.set(slotName.value, value);
          slotName.value = slotText.value = '';
        }}
      >
        <Field label="New slot" value={slotName} placeholder="topic" />
        <Field
          class="wide"
          label="Value"
          value={slotText}
          placeholder='"bridges"'
          problem={slotText.value === '' ? undefined : parsedSlot.value.problem}
          isCode
        />
        <button
          type="submit"
          class="main"
          disabled={slotName.value === '' || parsedSlot.value.problem !== undefined}
        >
          Add
        </button>
      </Form>
      <Form
        class="row"
        onSubmit={() => {
          if (sentMethod.value !== '' && parsedSent.value.value)
            share.send(sentMethod.value, parsedSent.value.value);
        }}
      >
        <Field label="Send to everybody" value={sentMethod} placeholder="ping" />
        <Field
          class="wide"
          label="Arguments"
          value={sentText}
          placeholder='1, "two"'
          problem={parsedSent.value.problem}
          isCode
        />
        <button
          type="submit"
          class="quiet"
          disabled={sentMethod.value === '' || parsedSent.value.problem !== undefined}
        >
          Send
        </button>
      </Form>
    </>
  );
}

/** One slot. Its value is a button that becomes a field. */
function Row({ name, text, changes }: share.Slot) {
  /** What it begins with while it is edited; undefined inside for what JSON cannot have. */
  const draft = useSignal<{ json: string | undefined; changes: number } | undefined>(undefined);
  const row = useRef<HTMLTableRowElement>(null);
  useEffect(() => {
    if (changes > 0) flash(row.current);
  }, [changes]);
  return (
    <tr ref={row}>
      <th scope="row">{name}</th>
      <td>
        {draft.value === undefined ? (
          <button
            type="button"
            class="value"
            title="Edit"
            onClick={() => {
              draft.value = { json: share.jsonOfSlot(name), changes };
            }}
          >
            <Coloured text={text} />
          </button>
        ) : (
          <Editor
            isStale={changes !== draft.value.changes}
            name={name}
            text={draft.value.json ?? ''}
            isWhole={draft.value.json !== undefined}
            done={() => {
              draft.value = undefined;
            }}
          />
        )}
      </td>
      <td>
        <button
          type="button"
          class="small"
          aria-label={`Delete ${name}`}
          onClick={() => share.set(name, null)}
        >
          Delete
        </button>
      </td>
    </tr>
  );
}

interface EditorProps {
  readonly name: string;
  readonly text: string;
  /** JSON can have what is there. */
  readonly isWhole: boolean;
  /** Somebody else has changed it since. */
  readonly isStale: boolean;
  readonly done: () => void;
}

function Editor({ name, text, isWhole, isStale, done }: EditorProps) {
  const draft = useSignal(text);
  const parsed = parseValue(draft.value);
  const box = useRef<HTMLDivElement>(null);
  useSignalEffect(() => box.current?.querySelector('textarea')?.focus());
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape anywhere in it gives up
    <div
      ref={box}
      onKeyDown={({ key }) => {
        if (key === 'Escape') done();
      }}
    >
      <Form
        class="row editor"
        onSubmit={() => {
          if (parsed.problem !== undefined) return;
          share.set(name, parsed.value);
          done();
        }}
      >
        <Field
          class="wide"
          label={`Value of ${name}`}
          value={draft}
          problem={parsed.problem}
          hint={hintOf(isWhole, isStale)}
          isCode
        />
        <button type="submit" class="small" disabled={parsed.problem !== undefined}>
          Save
        </button>
        <button type="button" class="small" onClick={done}>
          Cancel
        </button>
      </Form>
    </div>
  );
}

function hintOf(isWhole: boolean, isStale: boolean): string {
  if (isStale) return 'Somebody has changed it meanwhile: what you write takes its place.';
  return isWhole
    ? 'Enter saves, Escape gives up.'
    : 'It has what JSON lacks: what you write takes its place.';
}

/** Somebody else has changed it. */
function flash(row: HTMLElement | null): void {
  row?.animate({ backgroundColor: ['var(--flash)', 'transparent'] }, { duration: 1200, easing: 'ease-out' });
}
