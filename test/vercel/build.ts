import { join } from "node:path";
import {
  type BuildV3,
  download,
  type Files,
  getLambdaOptionsFromFunction,
  getLambdaSupportsStreaming,
  glob,
  type NodejsLambda,
} from "@vercel/build-utils";
import * as vercelNode from "@vercel/node";
import { entrypoint, functionSettings, readVercelJson, staticFolder, type VercelJson } from "./project.ts";

export interface LambdaSettings {
  runtime: string;
  launcherType: string;
  architecture: string;
  awsLambdaHandler: string | undefined;
  useWebApi: boolean | undefined;
  shouldAddHelpers: boolean;
  supportsResponseStreaming: boolean | undefined;
  supportsCancellation: boolean | undefined;
  maxDuration: number | string | undefined;
  memory: number | undefined;
}

export interface BuiltFunction {
  /** The file that the runtime imports, relative to the output folder. */
  handler: string;
  /** Everything that is deployed, sorted. */
  files: string[];
  settings: LambdaSettings;
}

// The types of @vercel/node cover what functions import, not the builder.
const { build } = vercelNode as unknown as { build: BuildV3 };

/** What Vercel does after the build command: traces `api/mcp.ts` and writes the function's files. */
export async function buildFunction(projectFolder: string, outputFolder: string): Promise<BuiltFunction> {
  const vercelJson = await readVercelJson(projectFolder);
  const lambda = await buildLambda(projectFolder, vercelJson);
  const files: Files = lambda.files ?? {};
  await download(files, outputFolder);
  return {
    handler: lambda.handler,
    files: Object.keys(files).toSorted(),
    settings: await lambdaSettings(lambda, vercelJson),
  };
}

/** The paths that Vercel publishes as static files. */
export async function staticFiles(projectFolder: string): Promise<string[]> {
  const files = await glob("**", staticFolder(projectFolder, await readVercelJson(projectFolder)));
  return Object.keys(files).toSorted();
}

async function buildLambda(projectFolder: string, vercelJson: VercelJson): Promise<NodejsLambda> {
  const { output } = await build({
    files: await glob(entrypoint, projectFolder),
    entrypoint,
    workPath: projectFolder,
    repoRootPath: projectFolder,
    config: zeroConfig(vercelJson),
    meta: { skipDownload: true, ...alreadyInstalled(projectFolder) },
  });
  if (!("launcherType" in output)) throw new Error(`${entrypoint} was built as ${output.type}`);
  return output as NodejsLambda;
}

/** As `detectBuilders` of @vercel/fs-detectors makes it from vercel.json. */
function zeroConfig(vercelJson: VercelJson) {
  const { includeFiles, excludeFiles } = functionSettings(vercelJson);
  return {
    zeroConfig: true,
    ...(vercelJson.functions && { functions: vercelJson.functions }),
    ...(includeFiles && { includeFiles }),
    ...(excludeFiles && { excludeFiles }),
  };
}

// Otherwise build() runs `npm install` in the project, as it does on Vercel.
function alreadyInstalled(projectFolder: string) {
  return { runNpmInstallSet: new Set([join(projectFolder, "package.json")]) };
}

async function lambdaSettings(lambda: NodejsLambda, vercelJson: VercelJson): Promise<LambdaSettings> {
  const config = zeroConfig(vercelJson);
  const options = await getLambdaOptionsFromFunction({ sourceFile: entrypoint, config });
  const { runtime, launcherType, architecture, awsLambdaHandler, useWebApi, shouldAddHelpers } = lambda;
  return {
    runtime,
    launcherType,
    architecture,
    awsLambdaHandler,
    useWebApi,
    shouldAddHelpers,
    supportsResponseStreaming: getLambdaSupportsStreaming(lambda, false),
    supportsCancellation: options.supportsCancellation,
    maxDuration: options.maxDuration ?? lambda.maxDuration,
    memory: options.memory ?? lambda.memory,
  };
}
