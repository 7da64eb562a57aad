import type { Signal } from '@preact/signals';
import { useId } from 'preact/hooks';

interface FieldProps {
  readonly label: string;
  readonly value: Signal<string>;
  readonly placeholder?: string;
  /** Said beside the field, and to whoever cannot see that it is red. */
  readonly problem?: string | undefined;
  readonly hint?: string;
  /** Names to choose from. */
  readonly choices?: readonly string[];
  readonly type?: 'text' | 'password';
  /** For JSON: several lines if there are. */
  readonly isCode?: boolean;
  readonly class?: string;
}

/** A labelled field for a text. In one for code Enter sends the form, and Shift+Enter begins another line. */
export function Field(props: FieldProps) {
  const { label, value, placeholder, problem, hint, choices, type = 'text', isCode = false } = props;
  const id = useId();
  const shared = {
    id,
    placeholder,
    value: value.value,
    spellcheck: false,
    autocomplete: 'off',
    autocapitalize: 'off' as const,
    'aria-invalid': problem !== undefined,
    'aria-describedby': problem !== undefined || hint !== undefined ? `${id}-note` : undefined,
    onInput: ({ currentTarget }: { currentTarget: { value: string } }) => {
      value.value = currentTarget.value;
    },
  };
  const lines = value.value.split('\n').length;
  return (
    <div class={`field ${props.class ?? ''}`}>
      <label for={id}>{label}</label>
      {isCode ? (
        <textarea {...shared} class="code" rows={Math.min(10, lines)} onKeyDown={sendOnEnter} />
      ) : (
        <input {...shared} type={type as 'text'} {...(choices && { list: `${id}-choices` })} />
      )}
      {choices && (
        <datalist id={`${id}-choices`}>
          {choices.map((choice) => (
            <option key={choice} value={choice} />
          ))}
        </datalist>
      )}
      {problem !== undefined ? (
        <p class="note bad" id={`${id}-note`} role="alert">
          {problem}
        </p>
      ) : (
        hint !== undefined && (
          <p class="note" id={`${id}-note`}>
            {hint}
          </p>
        )
      )}
    </div>
  );
}

function sendOnEnter(event: KeyboardEvent & { currentTarget: HTMLTextAreaElement }): void {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  event.currentTarget.form?.requestSubmit();
}
