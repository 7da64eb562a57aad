import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren, TargetedKeyboardEvent } from 'preact';

export interface Tab<I extends string = string> {
  readonly id: I;
  readonly title: string;
}

/** Which one is chosen: the first to begin with. */
export function useTabs<I extends string>(tabs: readonly Tab<I>[]): Signal<I> {
  return useSignal(tabs[0]!.id);
}

/** Arrow keys go from one to the next (WAI-ARIA, pattern "Tabs"). */
export function TabList<I extends string>({
  tabs,
  chosen,
  label,
}: {
  tabs: readonly Tab<I>[];
  chosen: Signal<I>;
  label: string;
}) {
  const move = (event: TargetedKeyboardEvent<HTMLDivElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = tabs.findIndex(({ id }) => id === chosen.value);
    const { id } = tabs[(at + step + tabs.length) % tabs.length]!;
    chosen.value = id;
    document.getElementById(`tab-${id}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map(({ id, title }) => (
        <button
          key={id}
          type="button"
          role="tab"
          id={`tab-${id}`}
          aria-controls={`panel-${id}`}
          aria-selected={chosen.value === id}
          tabIndex={chosen.value === id ? 0 : -1}
          onClick={() => {
            chosen.value = id;
          }}
        >
          {title}
        </button>
      ))}
    </div>
  );
}

/** Stays when another is chosen: what plays goes on. */
export function TabPanel({
  id,
  chosen,
  children,
}: {
  id: string;
  chosen: Signal<string>;
  children: ComponentChildren;
}) {
  return (
    <div
      class="panel"
      role="tabpanel"
      id={`panel-${id}`}
      aria-labelledby={`tab-${id}`}
      hidden={chosen.value !== id}
    >
      {children}
    </div>
  );
}
