import { CallsCode, CallsPanel } from './panels/calls.tsx';
import { Door } from './panels/door.tsx';
import { FirstApp } from './panels/first-app.tsx';
import { House } from './panels/house.tsx';
import { Incoming } from './panels/incoming.tsx';
import { PlayCode, PlayPanel } from './panels/play.tsx';
import { PublishCode, PublishPanel } from './panels/publish.tsx';
import { ShareCode, SharePanel } from './panels/share.tsx';
import { Pill } from './panels/standing.tsx';
import { type Tab, TabList, TabPanel, useTabs } from './parts/tabs.tsx';

const TABS = [
  { id: 'calls', title: 'Calls' },
  { id: 'share', title: 'Shared object' },
  { id: 'play', title: 'Play' },
  { id: 'publish', title: 'Publish' },
] as const satisfies readonly Tab[];

const CODES = { calls: CallsCode, share: ShareCode, play: PlayCode, publish: PublishCode } as const;

export function App() {
  const chosen = useTabs(TABS);
  const Code = CODES[chosen.value];
  return (
    <>
      <header class="top">
        <h1>
          <Wire />
          Stagewire <span>playground</span>
        </h1>
        <Pill />
      </header>
      <div class="stage">
        <House />
        <main>
          <FirstApp />
          <Door />
          <section class="card desk" aria-label="What to do">
            <TabList tabs={TABS} chosen={chosen} label="What to do" />
            <TabPanel id="calls" chosen={chosen}>
              <CallsPanel />
            </TabPanel>
            <TabPanel id="share" chosen={chosen}>
              <SharePanel />
            </TabPanel>
            <TabPanel id="play" chosen={chosen}>
              <PlayPanel />
            </TabPanel>
            <TabPanel id="publish" chosen={chosen}>
              <PublishPanel />
            </TabPanel>
          </section>
        </main>
        <div class="side">
          <Code />
          <Incoming />
        </div>
      </div>
    </>
  );
}

function Wire() {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--accent)" />
      <path
        d="M5 18c4 0 4-8 8-8s3 13 7 13 3-8 7-8"
        fill="none"
        stroke="#fff"
        stroke-width="3"
        stroke-linecap="round"
      />
    </svg>
  );
}
