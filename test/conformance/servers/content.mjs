// What both servers under test hold. The suite prescribes the names; docs/conformance.md says what is run.

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

const image = { type: "image", data: PNG, mimeType: "image/png" };
const audio = { type: "audio", data: WAV, mimeType: "audio/wav" };

export const info = { name: "conformance", version: "1.0.0" };

export const capabilities = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};

/** Tools that take nothing and always return the same. */
export const fixedTools = {
  test_simple_text: {
    description: "One text",
    content: [text("This is a simple text response for testing.")],
  },
  test_image_content: { description: "One image", content: [image] },
  test_audio_content: { description: "One sound", content: [audio] },
  test_embedded_resource: {
    description: "One resource",
    content: [resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")],
  },
  test_multiple_content_types: {
    description: "Text, image and resource",
    content: [
      text("Multiple content types test:"),
      image,
      resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
  },
  test_reconnection: {
    description: "Answers without closing its stream",
    content: [text("Still connected")],
  },
};

export const schemas = {
  message: objectOf({ message: { type: "string", description: "What to ask the user" } }),
  prompt: objectOf({ prompt: { type: "string", description: "What to ask the model" } }),
  greeted: objectOf({ name: { type: "string" } }),
  mirrored: {
    type: "object",
    properties: {
      region: { type: "string", description: "Also sent as a header", "x-mcp-header": "Region" },
    },
  },
  dialect: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: {
      address: {
        $anchor: "addressDef",
        type: "object",
        properties: { street: { type: "string" }, city: { type: "string" } },
      },
    },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" },
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false,
  },
};

/** What is asked of a user: the parameters of elicitation/create. */
export const forms = {
  account: (message) => form(message, { username: { type: "string" }, email: { type: "string" } }),
  name: form("What is your name?", { name: { type: "string" } }),
  color: form("What is your favorite color?", { color: { type: "string" } }),
  confirm: form("Please confirm", { ok: { type: "boolean" } }),
  defaults: optionalForm("Please check what is filled in", {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  }),
  enums: optionalForm("Please choose", {
    untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
    titledSingle: { type: "string", oneOf: titled("value1", "value2", "value3") },
    legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["One", "Two", "Three"] },
    untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
    titledMulti: { type: "array", items: { anyOf: titled("value1", "value2", "value3") } },
  }),
};

/** What is asked of a model: the parameters of sampling/createMessage. */
export function sampling(question) {
  return { messages: [{ role: "user", content: text(question) }], maxTokens: 100 };
}

export const resources = [
  {
    uri: "test://static-text",
    name: "text",
    mimeType: "text/plain",
    text: "This is a static text resource.",
  },
  { uri: "test://static-binary", name: "image", mimeType: "image/png", blob: PNG },
  {
    uri: "test://watched-resource",
    name: "watched",
    mimeType: "text/plain",
    text: "This one can be watched.",
  },
];

export const template = {
  uriTemplate: "test://template/{id}/data",
  name: "template",
  mimeType: "application/json",
  read: (id) => JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
};

export const prompts = {
  test_simple_prompt: {
    description: "No arguments",
    arguments: {},
    messages: () => [user(text("This is a simple prompt for testing."))],
  },
  test_prompt_with_arguments: {
    description: "Two arguments",
    arguments: { arg1: "The first", arg2: "The second" },
    messages: ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  },
  test_prompt_with_embedded_resource: {
    description: "A resource by its URI",
    arguments: { resourceUri: "The resource to embed" },
    messages: ({ resourceUri }) => [
      user(resource(resourceUri, "text/plain", "Embedded resource content for testing.")),
      user(text("Please process the embedded resource above.")),
    ],
  },
  test_prompt_with_image: {
    description: "An image",
    arguments: {},
    messages: () => [user(image), user(text("Please analyze the image above."))],
  },
};

export const askingPrompt = {
  name: "test_input_required_result_prompt",
  description: "Asks before it answers",
};
export const contextForm = form("What context should the prompt use?", { context: { type: "string" } });

export function promptAbout(context) {
  return { messages: [user(text(`Work within this context: ${context}`))] };
}

export function completionsOf(value) {
  const values = ["paris", "park", "party"].filter((word) => word.startsWith(value));
  return { completion: { values, total: values.length, hasMore: false } };
}

export function text(value) {
  return { type: "text", text: value };
}

function resource(uri, mimeType, value) {
  return { type: "resource", resource: { uri, mimeType, text: value } };
}

function user(content) {
  return { role: "user", content };
}

function objectOf(properties) {
  return { type: "object", properties, required: Object.keys(properties) };
}

function form(message, properties) {
  return { message, requestedSchema: objectOf(properties) };
}

function optionalForm(message, properties) {
  return { message, requestedSchema: { type: "object", properties, required: [] } };
}

function titled(...values) {
  return values.map((value) => ({ const: value, title: `Title of ${value}` }));
}
