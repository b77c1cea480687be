import { join } from "node:path";
import {
  type GrpcObject,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { PACKAGE_ROOT } from "../package-root.js";

export const PROTO_FOLDER = join(PACKAGE_ROOT, "proto");

/** Loads one of the project's `.proto` files: 64-bit integers as strings, absent messages as null. */
export function loadProto(fileName: string): PackageDefinition {
  return loadSync(join(PROTO_FOLDER, fileName), {
    keepCase: false,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
}

/** The service `name` (with its package, dot-separated) of a loaded `.proto`. */
export function serviceOf(definition: PackageDefinition, name: string): ServiceClientConstructor {
  let node: GrpcObject[string] | undefined = loadPackageDefinition(definition);
  for (const part of name.split(".")) {
    node = node !== undefined && typeof node === "object" ? (node as GrpcObject)[part] : undefined;
  }
  if (typeof node !== "function") throw new TypeError(`no service ${name} in the .proto file`);
  return node as ServiceClientConstructor;
}
