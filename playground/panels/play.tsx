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
          ref={(element) => {
            player.screen.element = element;
          }}
          muted
          autoplay
          playsInline
          controls
        />
        <Caption text={player.state.value} isLive={/^(playing|live)$/.test(player.state.value)} />
      </figure>
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
  return <Code title="The code" text={playCode(place.value, player.name.value)} />;
}
