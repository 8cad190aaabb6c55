import Foundation

/// protoc as the other side of `CheckRequest` and `CheckResponse`.
enum Protoc {
    /// The parts of Envoy's ext_authz v3 and google.rpc that are used here, by their names and numbers.
    private static let schema = """
        syntax = "proto3";
        package envoy.service.auth.v3;
        message Timestamp { int64 seconds = 1; int32 nanos = 2; }
        message SocketAddress { int32 protocol = 1; string address = 2; uint32 port_value = 3; }
        message Address { SocketAddress socket_address = 1; }
        message Peer { Address address = 1; string service = 2; }
        message HttpRequest {
          string id = 1; string method = 2; map<string, string> headers = 3; string path = 4; string host = 5;
          string scheme = 6; string query = 7; string fragment = 8; int64 size = 9; string protocol = 10;
          string body = 11; bytes raw_body = 12;
        }
        message Request { Timestamp time = 1; HttpRequest http = 2; }
        message AttributeContext { Peer source = 1; Peer destination = 2; Request request = 4; }
        message CheckRequest { AttributeContext attributes = 1; }
        message Status { int32 code = 1; string message = 2; }
        message HttpStatus { int32 code = 1; }
        message BoolValue { bool value = 1; }
        message HeaderValue { string key = 1; string value = 2; bytes raw_value = 3; }
        message HeaderValueOption {
          enum Action {
            APPEND_IF_EXISTS_OR_ADD = 0; ADD_IF_ABSENT = 1; OVERWRITE_IF_EXISTS_OR_ADD = 2; OVERWRITE_IF_EXISTS = 3; }
          HeaderValue header = 1; BoolValue append = 2; Action append_action = 3; bool keep_empty_value = 4;
        }
        message QueryParameter { string key = 1; string value = 2; }
        message DeniedHttpResponse { HttpStatus status = 1; repeated HeaderValueOption headers = 2; string body = 3; }
        message OkHttpResponse {
          repeated HeaderValueOption headers = 2; repeated string headers_to_remove = 5;
          repeated HeaderValueOption response_headers_to_add = 6; repeated QueryParameter query_parameters_to_set = 7;
          repeated string query_parameters_to_remove = 8;
        }
        message CheckResponse {
          Status status = 1; DeniedHttpResponse denied_response = 2; OkHttpResponse ok_response = 3;
          bytes dynamic_metadata = 4;
        }
        """

    /// Text to bytes: `Message` in the text format.
    static func encode(_ message: String, _ text: String) throws -> [UInt8] {
        try run("--encode", message, Array(text.utf8))
    }

    /// Bytes to text.
    static func decode(_ message: String, _ bytes: [UInt8]) throws -> String {
        String(decoding: try run("--decode", message, bytes), as: UTF8.self)
    }

    struct Failure: Error { let text: String }

    private static func run(_ option: String, _ message: String, _ input: [UInt8]) throws -> [UInt8] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "weir-protoc-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(schema.utf8).write(to: folder.appending(path: "auth.proto"))
        try Data(input).write(to: folder.appending(path: "input"))
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/protoc")
        process.arguments = ["-I\(folder.path())", "\(option)=envoy.service.auth.v3.\(message)", "auth.proto"]
        process.standardInput = try FileHandle(forReadingFrom: folder.appending(path: "input"))
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = Array(output.fileHandleForReading.readDataToEndOfFile())
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(text: "protoc: status \(process.terminationStatus)") }
        return bytes
    }
}
