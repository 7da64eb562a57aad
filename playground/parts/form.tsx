import type { ComponentChildren } from 'preact';

/** A form that does something here, and sends nothing anywhere. */
export function Form({
  onSubmit,
  children,
  class: name = '',
}: {
  onSubmit: () => void;
  children: ComponentChildren;
  class?: string;
}) {
  return (
    <form
      class={name}
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
    </form>
  );
}
