/// Rows under headings, columns padded to their widest cell, two spaces apart. No rows print nothing.
struct Table {
    struct Column {
        let heading: String
        /// Shown by `-o wide` only.
        let wide: Bool

        init(_ heading: String, wide: Bool = false) {
            self.heading = heading
            self.wide = wide
        }
    }

    let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: [Column]) {
        self.columns = columns
    }

    /// One cell per column, wide ones included.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count)
        rows.append(cells.map { $0.isEmpty ? "-" : $0 })
    }

    func text(wide: Bool) -> String {
        if rows.isEmpty { return "" }
        let shown = columns.indices.filter { wide || !columns[$0].wide }
        let lines = [columns.map(\.heading)] + rows
        let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        var out = ""
        for line in lines {
            var text = ""
            for column in shown {
                text += line[column]
                if column != shown.last {
                    text += String(repeating: " ", count: widths[column] - line[column].count + 2)
                }
            }
            out += text + "\n"
        }
        return out
    }
}
