import { editElements, editMember, isArrayText, isObjectText } from "../rawjson.ts";

/**
 * A result of tools/list with each tool passed through `edit`; one that `edit` returns nothing for is left out.
 * @param edit gets whatever stands in the list, also what is no object
 */
export function editTools(result: string, edit: (tool: string) => string | undefined): string {
  if (!isObjectText(result)) return result;
  return editMember(result, "tools", (tools) => (isArrayText(tools) ? editElements(tools, edit) : tools));
}
