/** Where schemas stand in a schema. Source: JSON Schema 2020-12, core 10 and validation; draft 7 for the older names. */

/** Keywords that hold data, in which nothing is a keyword. */
export const HOLDS_DATA: ReadonlySet<string> = new Set([
  "const",
  "enum",
  "default",
  "examples",
  "required",
  "dependentRequired",
]);

/** Keywords that hold schemas by names of the author's, which may be those of keywords. */
export const HOLDS_NAMED: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "$defs",
  "definitions",
  "dependentSchemas",
  "dependencies",
]);
