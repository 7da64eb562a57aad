import type { Signal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { Caption } from '../parts/caption.tsx';
import { Code } from '../parts/code.tsx';
import { Empty } from '../parts/empty.tsx';
import { Field } from '../parts/field.tsx';
import { Figures } from '../parts/figures.tsx';
import { Form } from '../parts/form.tsx';
import * as publisher from '../state/publish.ts';
import { isConnected, place } from '../state/session.ts';
import { publishCode, type Source } from '../text/snippets.ts';

const SOURCES: Readonly<Record<Source, string>> = {
  camera: 'Camera, mic',
  video: 'Camera',
  microphone: 'Microphone',
  screen: 'Screen',
};
const MODES: Readonly<Record<publisher.Mode, string>> = {
  live: 'Live',
  record: 'Live, and record',
  append: 'Live, and append',
};

export function PublishPanel() {
  const { state, problem, name, source, mode } = publisher;
  const isOn = state.value !== 'idle';
  const isReady = isConnected.value && name.value !== '';
  return (
    <>
      <Form
        class="row"
        onSubmit={() => {
          if (isOn) publisher.stop();
          else if (isReady) void publisher.publish();
        }}
      >
        <Field label="Stream" value={name} placeholder="cam" />
        <Choice label="What" value={source} choices={SOURCES} disabled={isOn} />
        <Choice label="How" value={mode} choices={MODES} disabled={isOn} />
        <button type="submit" class={isOn ? 'quiet' : 'main'} disabled={!isOn && !isReady}>
          {isOn ? 'Stop' : 'Publish'}
        </button>
      </Form>
      {problem.value !== '' && (
        <div class="banner bad" role="alert">
          <p>{problem.value}</p>
        </div>
      )}
      <figure class="screen" hidden={!isOn}>
        <video
          ref={(element) => {
            publisher.mirror.element = element;
          }}
          muted
          autoplay
          playsInline
        />
        <Caption text={state.value} isLive={state.value === 'on air'} />
      </figure>
      <Figures of={publisher.figures.value} />
      {!isOn && (
        <Empty title={isConnected.value ? 'Publish a stream.' : 'Connect, then publish a stream.'}>
          <p>
            Your browser asks whether it may, encodes, and sends; players of RTMP see it, too. A key that the
            application wants goes behind the name: <code>demo?key=stage-door</code>.
          </p>
        </Empty>
      )}
    </>
  );
}

export function PublishCode() {
  const { name, source, mode } = publisher;
  return <Code title="The code" text={publishCode(place.value, name.value, source.value, mode.value)} />;
}

function Choice<T extends string>({
  label,
  value,
  choices,
  disabled,
}: {
  label: string;
  value: Signal<T>;
  choices: Readonly<Record<T, string>>;
  disabled: boolean;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value.value}
        disabled={disabled}
        onChange={({ currentTarget }) => {
          value.value = currentTarget.value as T;
        }}
      >
        {(Object.entries(choices) as [T, string][]).map(([key, title]) => (
          <option key={key} value={key}>
            {title}
          </option>
        ))}
      </select>
    </div>
  );
}
