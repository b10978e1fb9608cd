import type { HttpEvent } from "./platform.ts";

/** The path as the function's own routes have it: without the stage or the base path that API Gateway puts before it. */
export function pathOf(event: HttpEvent): string {
  const full = event.rawPath ?? event.path ?? "/";
  const path = belowTemplate(full, event) ?? withoutStage(full, event);
  // The platform may have decoded it: what would end a path belongs to it.
  const escaped = path.replace(/[?#]/g, encodeURIComponent);
  return escaped.startsWith("/") ? escaped : `/${escaped}`;
}

/** Of a custom domain the path begins with a base path that no field names: what the template covers comes after it. */
function belowTemplate(full: string, event: HttpEvent): string | undefined {
  const template = templateOf(event);
  if (template === undefined) return undefined;
  const covered = template.replace(
    /\{([^{}+]+)\+?\}/g,
    (_, name: string) => event.pathParameters?.[name] ?? "",
  );
  return full.endsWith(covered) && covered.startsWith("/") ? covered : undefined;
}

function templateOf({ resource, routeKey = "", rawPath }: HttpEvent): string | undefined {
  if (rawPath === undefined) return resource;
  const [, template] = routeKey.split(" ");
  return template;
}

function withoutStage(full: string, { rawPath, requestContext: { stage } }: HttpEvent): string {
  if (rawPath === undefined || stage === undefined || stage === "$default") return full;
  const prefix = `/${stage}`;
  return full === prefix || full.startsWith(`${prefix}/`) ? full.slice(prefix.length) : full;
}
