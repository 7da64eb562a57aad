import { hide, keysOf, natives, textOf } from '../shared.ts';
import { toStringTag } from './helpers.ts';

/** The names that have a code (Web IDL, section 2.8.1); later ones have 0. */
const CODES: Readonly<Record<string, number>> = {
  __proto__: null,
  IndexSizeError: 1,
  HierarchyRequestError: 3,
  WrongDocumentError: 4,
  InvalidCharacterError: 5,
  NoModificationAllowedError: 7,
  NotFoundError: 8,
  NotSupportedError: 9,
  InUseAttributeError: 10,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidModificationError: 13,
  NamespaceError: 14,
  InvalidAccessError: 15,
  TypeMismatchError: 17,
  SecurityError: 18,
  NetworkError: 19,
  AbortError: 20,
  URLMismatchError: 21,
  QuotaExceededError: 22,
  TimeoutError: 23,
  InvalidNodeTypeError: 24,
  DataCloneError: 25,
} as never;

const CONSTANTS: Readonly<Record<string, number>> = {
  __proto__: null,
  INDEX_SIZE_ERR: 1,
  DOMSTRING_SIZE_ERR: 2,
  HIERARCHY_REQUEST_ERR: 3,
  WRONG_DOCUMENT_ERR: 4,
  INVALID_CHARACTER_ERR: 5,
  NO_DATA_ALLOWED_ERR: 6,
  NO_MODIFICATION_ALLOWED_ERR: 7,
  NOT_FOUND_ERR: 8,
  NOT_SUPPORTED_ERR: 9,
  INUSE_ATTRIBUTE_ERR: 10,
  INVALID_STATE_ERR: 11,
  SYNTAX_ERR: 12,
  INVALID_MODIFICATION_ERR: 13,
  NAMESPACE_ERR: 14,
  INVALID_ACCESS_ERR: 15,
  VALIDATION_ERR: 16,
  TYPE_MISMATCH_ERR: 17,
  SECURITY_ERR: 18,
  NETWORK_ERR: 19,
  ABORT_ERR: 20,
  URL_MISMATCH_ERR: 21,
  QUOTA_EXCEEDED_ERR: 22,
  TIMEOUT_ERR: 23,
  INVALID_NODE_TYPE_ERR: 24,
  DATA_CLONE_ERR: 25,
} as never;

export let isDomException: (value: object) => value is DOMException;

/** An error with one of the names that the web's standards give (Web IDL, section 2.8). */
export class DOMException extends natives.Error {
  readonly #message: string;
  readonly #name: string;

  constructor(message: unknown = '', name: unknown = 'Error') {
    super();
    this.#message = textOf('new DOMException', message);
    this.#name = textOf('new DOMException', name);
  }

  static {
    isDomException = (value): value is DOMException => #name in value;
  }

  // Accessors of the prototype, as the standard has them; a class field would be a property of each.
  override get message(): string {
    return this.#message;
  }

  override get name(): string {
    return this.#name;
  }

  get code(): number {
    return CODES[this.#name] ?? 0;
  }

  get [toStringTag](): string {
    return 'DOMException';
  }
}

const constants = keysOf(CONSTANTS);
for (let i = 0; i < constants.length; i++) {
  hide(DOMException, constants[i]!, CONSTANTS[constants[i]!]);
  hide(DOMException.prototype, constants[i]!, CONSTANTS[constants[i]!]);
}
