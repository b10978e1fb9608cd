/** One frame of an event stream, or what a comment between two frames says. */
export interface Frame {
  /** The event field; undefined where the frame has none. */
  readonly event: string | undefined;
  /** The data lines, joined with line feeds; undefined where the frame has none. */
  readonly data: string | undefined;
  /** The same, as the bytes that came. */
  readonly dataBytes: Buffer;
  readonly comment?: string;
  /** Every line of the frame: a field that should not be there shows. */
  readonly lines: readonly string[];
  /** `performance.now()` when the frame was complete. */
  readonly receivedAt: number;
}

const NEWLINE = 0x0a;
const COLON = 0x3a;
const SPACE = 0x20;

/**
 * The frames of a text/event-stream, as they come. Only a line feed ends a line here, so that a stray
 * carriage return stays visible. To leave the loop cancels the response.
 */
export async function* readEvents(response: Response): AsyncGenerator<Frame, void, void> {
  let lines: Buffer[] = [];
  for await (const line of linesOf(await bodyOf(response))) {
    if (line.length > 0) {
      lines.push(line);
    } else if (lines.length > 0) {
      yield frameOf(lines);
      lines = [];
    }
  }
  if (lines.length > 0) throw new Error(`the stream ended inside a frame: ${String(Buffer.concat(lines))}`);
}

export async function readAll(response: Response): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of readEvents(response)) frames.push(frame);
  return frames;
}

async function bodyOf(response: Response): Promise<ReadableStream<Uint8Array>> {
  const type = response.headers.get("content-type") ?? "";
  if (response.body && /^text\/event-stream\b/.test(type)) return response.body;
  throw new Error(`not an event stream, but ${response.status} ${type}: ${await response.text()}`);
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  let pieces: Buffer[] = [];
  for await (const chunk of body) {
    let rest = Buffer.from(chunk);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield Buffer.concat([...pieces, rest.subarray(0, end)]);
      pieces = [];
      rest = rest.subarray(end + 1);
    }
    if (rest.length > 0) pieces.push(rest);
  }
  if (pieces.length > 0) yield Buffer.concat(pieces);
}

function frameOf(lines: readonly Buffer[]): Frame {
  const data = valuesOf(lines, "data");
  const comments = valuesOf(lines, "");
  const dataBytes = joined(data);
  return {
    event: valuesOf(lines, "event").at(-1)?.toString(),
    data: data.length > 0 ? dataBytes.toString() : undefined,
    dataBytes,
    ...(comments.length > 0 && { comment: joined(comments).toString() }),
    lines: lines.map(String),
    receivedAt: performance.now(),
  };
}

/** The values of a field; a comment is a field without a name. */
function valuesOf(lines: readonly Buffer[], field: string): Buffer[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(COLON);
    if (colon < 0 || line.toString("latin1", 0, colon) !== field) return [];
    return [line.subarray(line[colon + 1] === SPACE ? colon + 2 : colon + 1)];
  });
}

function joined(values: readonly Buffer[]): Buffer {
  return Buffer.concat(values.flatMap((value, index) => (index > 0 ? [Buffer.of(NEWLINE), value] : [value])));
}
