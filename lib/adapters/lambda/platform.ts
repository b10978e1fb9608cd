/** What is read and written of AWS Lambda's Node.js interface: types of our own, as no package of AWS is needed. */

/** Source: AWS Lambda Developer Guide, "Using the Lambda context object to retrieve Node.js function information". */
export interface LambdaContext {
  readonly getRemainingTimeInMillis: () => number;
  readonly clientContext?: ClientContext | null | undefined;
}

/** What the invoker adds to an event. The runtime hands on the JSON as it is: senders write either name. */
interface ClientContext {
  readonly custom?: Readonly<Record<string, unknown>>;
  readonly Custom?: Readonly<Record<string, unknown>>;
}

/** The stream that the runtime gives to a streaming handler: a Writable, and its content type. */
export interface ResponseStream {
  readonly destroyed?: boolean;
  readonly setContentType: (type: string) => void;
  readonly write: (chunk: Uint8Array | string) => boolean;
  readonly end: () => unknown;
  readonly once: (event: "drain" | "close" | "error", listener: () => void) => unknown;
  readonly off: (event: "drain" | "close" | "error", listener: () => void) => unknown;
}

type Values<Value> = Readonly<Record<string, Value | undefined>> | null;

/**
 * An HTTP request as an event: payload format 2.0 (function URL, HTTP API), 1.0 (REST API, HTTP API), or that of an
 * application load balancer, which resembles 1.0.
 * Source: API Gateway Developer Guide, "AWS Lambda proxy integrations for HTTP APIs"; User Guide for Application Load
 * Balancers, "Lambda functions as targets".
 */
export interface HttpEvent {
  /** Since 2.0. With the stage, where that is not the default one. */
  readonly rawPath?: string;
  readonly rawQueryString?: string;
  readonly cookies?: readonly string[];
  /** Before 2.0. */
  readonly httpMethod?: string;
  readonly path?: string;
  /** The template that the path was found by; since 2.0 behind the method. */
  readonly resource?: string;
  readonly routeKey?: string;
  readonly pathParameters?: Values<string>;
  readonly headers?: Values<string>;
  readonly multiValueHeaders?: Values<readonly string[]>;
  readonly queryStringParameters?: Values<string>;
  readonly multiValueQueryStringParameters?: Values<readonly string[]>;
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: {
    /** Since 2.0. */
    readonly http?: { readonly method: string };
    /** Of a load balancer alone. */
    readonly elb?: unknown;
    readonly stage?: string;
    readonly domainName?: string;
  };
}
