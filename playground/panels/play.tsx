import { Caption } from '../parts/caption.tsx';
import { Code } from '../parts/code.tsx';
import { Empty } from '../parts/empty.tsx';
import { Field } from '../parts/field.tsx';
import { Figures } from '../parts/figures.tsx';
import { Form } from '../parts/form.tsx';
import { present } from '../state/house.ts';
import * as player from '../state/play.ts';
import { bytesText } from '../state/rate.ts';
import { isConnected, place } from '../state/session.ts';
import { playCode } from '../text/snippets.ts';

export function PlayPanel() {
  const { streams = [], recordings = [] } = present.value ?? {};
  const live = streams.filter(({ source }) => source !== null);
  const isOn = player.playing.value !== '';
  const isReady = isConnected.value && player.name.value !== '';
  const choose = (name: string) => {
    player.name.value = name;
    if (isConnected.value) void player.play();
  };
  return (
    <>
      <Form
        class="row"
        onSubmit={() => {
          if (isReady) void player.play();
        }}
      >
        <Field
          class="wide"
          label="Stream"
          value={player.name}
          placeholder="demo"
          choices={[...live, ...recordings].map(({ name }) => name)}
        />
        <label class="check" title="Nearer to what is live, on a canvas, at a higher cost for the page">
          <input
            type="checkbox"
            checked={player.isFast.value}
            onChange={({ currentTarget }) => player.setFast(currentTarget.checked)}
          />
          low latency
        </label>
        <button type="submit" class="main" disabled={!isReady}>
          Play
        </button>
        {isOn && (
          <button type="button" class="quiet" onClick={player.togglePause}>
            {player.isPaused.value ? 'Resume' : 'Pause'}
          </button>
        )}
        {isOn && (
          <button type="button" class="quiet" onClick={player.stop}>
            Stop
          </button>
        )}
      </Form>
      {(live.length > 0 || recordings.length > 0) && (
        <p class="chips">
          {live.map(({ name, viewers, video, audio }) => (
            <button key={`live ${name}`} type="button" class="chip" onClick={() => choose(name)}>
              <span class="tag live">live</span> {name}{' '}
              <small>
                {[video, audio, `${viewers} watching`].filter((word) => word !== null).join(' · ')}
              </small>
            </button>
          ))}
          {recordings.map(({ name, bytes }) => (
            <button key={`file ${name}`} type="button" class="chip" onClick={() => choose(name)}>
              {name} <small>recorded · {bytesText(bytes)}</small>
            </button>
          ))}
        </p>
      )}
      {player.problem.value !== '' && (
        <div class="banner bad" role="alert">
          <p>{player.problem.value}</p>
        </div>
      )}
      <figure class="screen" hidden={!isOn}>
        <video
          hidden={player.isFast.value}
          ref={(element) => {
            player.screen.video = element;
          }}
          muted
          autoplay
          playsInline
          controls
        />
        <canvas
          hidden={!player.isFast.value}
          ref={(element) => {
            player.screen.canvas = element;
          }}
        />
        <Caption text={player.state.value} isLive={/^(playing|live)$/.test(player.state.value)} />
      </figure>
      {isOn && player.length.value > 0 && <Seek />}
      <Figures of={player.figures.value} />
      {!isOn && (
        <Empty title={isConnected.value ? 'Play a stream.' : 'Connect, then play a stream.'}>
          <p>
            Live or recorded, by its name. One that nobody publishes yet is waited for. To have one:{' '}
            <code>{`ffmpeg -re -i clip.mp4 -c copy -f flv "rtmp://${location.hostname}/${place.value.app}/demo"`}</code>
            , or publish your camera.
          </p>
        </Empty>
      )}
    </>
  );
}

export function PlayCode() {
  return <Code title="The code" text={playCode(place.value, player.name.value, player.isFast.value)} />;
}

/** Where a recording is, and where it is to go on. */
function Seek() {
  const { length, time, dragged } = player;
  const at = Math.min(dragged.value ?? time.value, length.value);
  return (
    <div class="seek">
      <time>{clock(at)}</time>
      <input
        type="range"
        aria-label="Position"
        aria-valuetext={`${clock(at)} of ${clock(length.value)}`}
        min={0}
        max={length.value}
        step={0.1}
        value={at}
        style={{ '--share': `${(at / length.value) * 100}%` }}
        onInput={({ currentTarget }) => {
          dragged.value = Number(currentTarget.value);
        }}
        onChange={({ currentTarget }) => player.seek(Number(currentTarget.value))}
      />
      <time>{clock(length.value)}</time>
    </div>
  );
}

/** Minutes and seconds. */
function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
