/** Why a script ends while its instance goes on, and what that means in a sentence. */
export const END_SENTENCES = {
  cpu: 'a handler ran too long',
  memory: 'it needed more memory than it may have',
  stuck: 'it could not be interrupted',
  crash: 'its core process died',
  mailbox: 'more waited for it than may wait',
  operator: 'an operator asked for it',
  reload: 'new code took over',
  move: 'it moved to another core',
} as const;

export type EndReason = keyof typeof END_SENTENCES;

/** The code that the log gives an end that the script did not choose. */
export const END_CODES: Readonly<Record<Exclude<EndReason, 'reload' | 'move'>, string>> = {
  cpu: 'E_HANDLER_TIMEOUT',
  memory: 'E_OUT_OF_MEMORY',
  stuck: 'E_STUCK',
  crash: 'E_CORE_GONE',
  mailbox: 'E_MAILBOX_FULL',
  operator: 'E_RESTARTED',
};
