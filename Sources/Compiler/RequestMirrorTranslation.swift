import Model
import Resources

extension Model.RequestMirror {
    /// HTTPRequestMirrorFilter: without percent and fraction, every request.
    init(_ mirror: Resources.RequestMirror, to backend: FilterBackend) throws(FilterRefusal) {
        let share: (numerator: Int, denominator: Int)
        switch (mirror.percent, mirror.fraction) {
        case (.some, .some):
            throw FilterRefusal(field: "requestMirror", message: "percent and fraction exclude each other")
        case (nil, nil): share = (1, 1)
        case (let percent?, nil):
            guard (0...100).contains(percent) else {
                throw FilterRefusal(field: "requestMirror.percent", message: "\(percent) is not in 0 to 100")
            }
            share = (percent, 100)
        case (nil, let fraction?):
            guard fraction.denominator >= 1, (0...fraction.denominator).contains(fraction.numerator) else {
                throw FilterRefusal(
                    field: "requestMirror.fraction",
                    message: "\(fraction.numerator) of \(fraction.denominator) is no share from 0 to 1")
            }
            share = (fraction.numerator, fraction.denominator)
        }
        self.init(
            service: backend.service, port: backend.port, target: backend.target, numerator: UInt64(share.numerator),
            denominator: UInt64(share.denominator))
    }
}
