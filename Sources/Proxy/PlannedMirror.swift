import Model

/// A RequestMirror filter that some requests fall to; see `Worker+Mirror`.
struct PlannedMirror: BitwiseCopyable {
    /// What gets the copies. It changes them as the chosen backend's reference changes the request.
    let reference: UnsafePointer<PlannedReference>
    /// `numerator` of `denominator` requests, each decided by itself.
    let numerator: UInt64
    let denominator: UInt64
}

extension [Filter] {
    /// The mirrors among them that mirror something: an invalid backend gets nothing and hurts nobody.
    var liveMirrors: [(mirror: RequestMirror, backend: Backend)] {
        compactMap { filter in
            guard case .requestMirror(let mirror) = filter, mirror.numerator > 0,
                case .backend(let backend) = mirror.target
            else { return nil }
            return (mirror, backend)
        }
    }
}
