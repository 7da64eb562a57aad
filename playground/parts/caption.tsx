import { isConnected } from '../state/session.ts';

/** What becomes of the stream of a picture. */
export function Caption({ text, isLive }: { text: string; isLive: boolean }) {
  return isConnected.value ? (
    <figcaption class={isLive ? 'tag live' : 'tag'}>{text}</figcaption>
  ) : (
    <figcaption class="tag">waits for the connection</figcaption>
  );
}
