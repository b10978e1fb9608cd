/** What the core reads of a request: any `Request` fits, and so does what an adapter makes of a platform's event. */
export interface IncomingRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  /** Fires when the client has gone, where the platform tells. */
  readonly signal?: AbortSignal;
}

/** What a platform adds to a request. */
export interface RequestContext {
  /** Keeps the platform awake until the promise settles: the end of a process comes after the answer. */
  readonly waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  /** When the platform ends this request, in milliseconds since the epoch. @default never */
  readonly deadline?: number | undefined;
  /** Fires when the client has gone, beside the request's own signal. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the connection at once, with what its client has not read. */
  readonly cut?: (() => void) | undefined;
  /** Is given what tells how many bytes of the answer wait in memory until the client takes them. */
  readonly unsent?: ((bytes: () => number) => void) | undefined;
}
