/// What `#expect` is to see of a call on a noncopyable value: its result. The macro copies what it takes apart.
func value(_ result: Bool) -> Bool { result }
