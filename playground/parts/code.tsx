import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { highlight } from '../text/highlight.ts';

const SAID_MS = 1500;

/** Source, or a value, in colours. */
export function Coloured({ text }: { text: string }) {
  return (
    <>
      {highlight(text).map(({ kind, text: piece }, at) =>
        kind === '' ? (
          piece
        ) : (
          <span key={at} class={`is-${kind}`}>
            {piece}
          </span>
        ),
      )}
    </>
  );
}

/** Code that can be copied. */
export function Code({ title, text }: { title: string; text: string }) {
  const said = useSignal('Copy');
  const pre = useRef<HTMLPreElement>(null);
  const copy = async () => {
    said.value = (await copyText(text, pre.current)) ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => {
      said.value = 'Copy';
    }, SAID_MS);
  };
  return (
    <section class="card snippet" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="small" onClick={() => void copy()} aria-live="polite">
          {said.value}
        </button>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, by keys too */}
      <pre ref={pre} tabIndex={0}>
        <code>
          <Coloured text={text} />
        </code>
      </pre>
    </section>
  );
}

/** Pages that came without TLS from elsewhere have no clipboard: there the text is marked. */
async function copyText(text: string, element: HTMLElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (element) getSelection()?.selectAllChildren(element);
    return false;
  }
}
