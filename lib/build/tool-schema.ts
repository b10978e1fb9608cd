import { isObject } from "../jsonrpc.ts";

/** A tool as AgentCore Gateway is told of it. */
export interface GatewayTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: GatewaySchema;
}

/** All that the gateway knows of JSON Schema. Source: Bedrock AgentCore Control API, SchemaDefinition. */
export interface GatewaySchema {
  readonly type: GatewayType;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, GatewaySchema>>;
  readonly required?: readonly string[];
  readonly items?: GatewaySchema;
}

const TYPES = ["string", "number", "integer", "boolean", "object", "array"] as const;
type GatewayType = (typeof TYPES)[number];

type Schema = Readonly<Record<string, unknown>>;

/** Levels of a schema, which may name itself. What is deeper is any object. */
const MAX_DEPTH = 16;

/**
 * The tools of a list, as the gateway takes them. There is no outputSchema: what the function answers is the whole result
 * of the call, and not only its structured content.
 * @param tools of a result of `tools/list`
 */
export function gatewayTools(tools: readonly unknown[]): GatewayTool[] {
  return tools.filter(isObject).map((tool) => {
    const { name, title, description, inputSchema } = tool;
    const root = isObject(inputSchema) ? inputSchema : {};
    const input = asSchema({ ...root, type: "object" }, root, MAX_DEPTH);
    return { name: String(name), description: String(description ?? title ?? name), inputSchema: input };
  });
}

function asSchema(given: unknown, root: Schema, depth: number): GatewaySchema {
  const schema = chosen(given, root);
  const type = typeOf(schema);
  const description = descriptionOf(schema);
  const inner = (value: unknown): GatewaySchema => asSchema(value, root, depth - 1);
  return {
    type,
    ...(description !== "" && { description }),
    ...(type === "object" && depth > 0 && membersOf(schema, inner)),
    ...(type === "array" && depth > 0 && isObject(schema["items"]) && { items: inner(schema["items"]) }),
  };
}

function membersOf(
  { properties, required }: Schema,
  inner: (value: unknown) => GatewaySchema,
): Pick<GatewaySchema, "properties" | "required"> {
  if (!isObject(properties)) return {};
  const names = Object.keys(properties);
  const needed = Array.isArray(required) ? names.filter((name) => required.includes(name)) : [];
  return {
    properties: Object.fromEntries(names.map((name) => [name, inner(properties[name])])),
    ...(needed.length > 0 && { required: needed }),
  };
}

/** Behind references, and of several kinds the first that is more than null: the gateway knows no choice. */
function chosen(given: unknown, root: Schema, hops = MAX_DEPTH): Schema {
  const schema = isObject(given) ? given : {};
  const { $ref, anyOf, oneOf, allOf, ...rest } = schema;
  const target = typeof $ref === "string" ? pointedAt($ref, root) : undefined;
  const options = [anyOf, oneOf, allOf].flatMap((each): unknown[] => (Array.isArray(each) ? each : []));
  const option = target ?? options.find(isMoreThanNull);
  if (option === undefined || hops === 0) return schema;
  // What stands beside it, as a description does, is said of this place.
  return { ...chosen(option, root, hops - 1), ...rest };
}

function isMoreThanNull(option: unknown): boolean {
  return isObject(option) && option["type"] !== "null";
}

/** @param reference a JSON Pointer into the same schema, as in `#/$defs/Point` (RFC 6901) */
function pointedAt(reference: string, root: Schema): unknown {
  if (!reference.startsWith("#")) return undefined;
  const steps = reference.slice(1).split("/").slice(1);
  const names = steps.map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
  return names.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), root);
}

function typeOf({ type, properties, items, enum: values, const: value }: Schema): GatewayType {
  const names: unknown[] = Array.isArray(type) ? type : [type];
  const named = TYPES.find((known) => names.find((one) => one !== "null") === known);
  if (named !== undefined) return named;
  if (isObject(properties)) return "object";
  if (items !== undefined) return "array";
  const example: unknown = Array.isArray(values) ? values[0] : value;
  return TYPES.find((known) => known === typeof example) ?? "string";
}

/** A model is told in words what the gateway has no member for. */
function descriptionOf({ description, enum: values, const: value, default: otherwise }: Schema): string {
  const allowed = Array.isArray(values) ? values : value === undefined ? [] : [value];
  return [
    ...(typeof description === "string" ? [description] : []),
    ...(allowed.length > 0 ? [`One of: ${allowed.map((one) => JSON.stringify(one)).join(", ")}.`] : []),
    ...(otherwise === undefined ? [] : [`Default: ${JSON.stringify(otherwise)}.`]),
  ].join(" ");
}
