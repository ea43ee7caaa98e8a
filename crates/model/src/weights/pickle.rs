//! A reader of the pickles that `torch.save` writes. It builds plain data and runs nothing: a class is only a name, calling one
//! gives an inert object, and the few constructors that state dicts need are understood by name.
//!
//! Opcodes as in CPython's `Lib/pickletools.py`, protocols 0x80 2 to 4; the text opcodes of protocols 0 and 1 are refused.

use std::collections::HashMap;

/// A place in [`Pickle::nodes`]. Values refer to one another by place, so that neither cycles nor depth are a danger.
pub(crate) type Ref = usize;

/// A value of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond 64 bits, as its bytes, little endian.
    Long(Vec<u8>),
    Float(f64),
    Text(String),
    Bytes,
    Tuple(Vec<Ref>),
    List(Vec<Ref>),
    Dict(Vec<(Ref, Ref)>),
    /// A class or function, as `module.name`.
    Class(String),
    /// What a call of some class gave: its name, and the state that was set on it.
    Object {
        class: String,
        state: Option<Ref>,
    },
    Storage(Storage),
    Tensor(Strided),
}

/// A run of elements of one type, kept outside the pickle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Storage {
    /// `FloatStorage` and the like.
    pub kind: String,
    /// Names the elements' bytes.
    pub key: String,
    /// Number of elements.
    pub len: usize,
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strided {
    pub storage: Storage,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub stride: Vec<usize>,
}

/// What a pickle holds.
#[derive(Debug)]
pub(crate) struct Pickle {
    pub nodes: Vec<Node>,
    pub root: Ref,
    /// Bytes read.
    pub length: usize,
}

impl Pickle {
    /// Reads the pickle that `bytes` begins with.
    pub(crate) fn read(bytes: &[u8]) -> Result<Pickle, String> {
        let mut machine =
            Machine { bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
        let root = machine.run().map_err(|reason| format!("pickle, byte {}: {reason}", machine.at))?;
        Ok(Pickle { nodes: machine.nodes, root, length: machine.at })
    }

    /// The value of a text key of a dictionary.
    pub(crate) fn entry(&self, dict: Ref, key: &str) -> Option<Ref> {
        let Node::Dict(entries) = &self.nodes[dict] else { return None };
        entries.iter().rev().find(|(k, _)| matches!(&self.nodes[*k], Node::Text(text) if text == key)).map(|(_, v)| *v)
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Ref>,
    marks: Vec<usize>,
    memo: HashMap<u32, Ref>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Ref, String> {
        loop {
            match self.byte()? {
                0x80 => match self.byte()? {
                    2..=5 => {}
                    protocol => return Err(format!("protocol {protocol} is not read")),
                },
                b'.' => return self.pop(),
                opcode => self.step(opcode)?,
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            0x95 => drop(self.take(8)?), // FRAME
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()));
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Node::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()));
            }
            0x8a => {
                let n = self.byte()?.into();
                let node = long(self.take(n)?);
                self.push(node);
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Node::Float(value));
            }
            b'X' => {
                let n = u32::from_le_bytes(self.array()?) as usize;
                self.text(n)?;
            }
            0x8c | b'U' => {
                let n = self.byte()?.into();
                self.text(n)?;
            }
            b'T' => {
                let n = u32::from_le_bytes(self.array()?) as usize;
                self.text(n)?;
            }
            b'C' => {
                let n = self.byte()?.into();
                self.take(n)?;
                self.push(Node::Bytes);
            }
            b'B' => {
                let n = u32::from_le_bytes(self.array()?) as usize;
                self.take(n)?;
                self.push(Node::Bytes);
            }
            b')' => self.push(Node::Tuple(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            0x85..=0x87 => {
                let n = usize::from(opcode - 0x84);
                let items = self.pop_n(n)?;
                self.push(Node::Tuple(items));
            }
            b't' => {
                let items = self.pop_mark()?;
                self.push(Node::Tuple(items));
            }
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Node::List(items));
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Node::Dict(pairs(&items)?));
            }
            b'a' => {
                let items = self.pop_n(1)?;
                self.append(items)?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            b's' => {
                let items = self.pop_n(2)?;
                self.set_items(&items)?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items)?;
            }
            b'q' => {
                let key = self.byte()?.into();
                self.memorize(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.memorize(key)?;
            }
            0x94 => self.memorize(self.memo.len() as u32)?,
            b'h' => {
                let key = self.byte()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Class(format!("{module}.{name}")));
            }
            0x93 => {
                let parts = self.pop_n(2)?;
                let name = format!("{}.{}", self.as_text(parts[0])?, self.as_text(parts[1])?);
                self.push(Node::Class(name));
            }
            b'R' | 0x81 => {
                let call = self.pop_n(2)?;
                let node = self.call(call[0], call[1])?;
                self.push(node);
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                // On a tensor or a dictionary the state is only metadata.
                if let Node::Object { state: slot, .. } = &mut self.nodes[target] {
                    *slot = Some(state);
                }
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(Node::Storage(storage));
            }
            other => return Err(format!("opcode 0x{other:02x} is not one that torch.save writes")),
        }
        Ok(())
    }

    /// What calling a class with arguments gives, without calling anything.
    fn call(&self, callee: Ref, arguments: Ref) -> Result<Node, String> {
        let Node::Class(class) = &self.nodes[callee] else { return Err("a call of something that is no class".into()) };
        let Node::Tuple(arguments) = &self.nodes[arguments] else {
            return Err(format!("{class} is called without a tuple"));
        };
        match class.as_str() {
            "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" if arguments.len() >= 4 => {
                let Node::Storage(storage) = &self.nodes[arguments[0]] else {
                    return Err("a tensor without a storage".into());
                };
                Ok(Node::Tensor(Strided {
                    storage: storage.clone(),
                    offset: self.as_size(arguments[1])?,
                    shape: self.as_sizes(arguments[2])?,
                    stride: self.as_sizes(arguments[3])?,
                }))
            }
            "torch._utils._rebuild_parameter" if !arguments.is_empty() => Ok(self.nodes[arguments[0]].clone()),
            "collections.OrderedDict" => match arguments.first().map(|first| &self.nodes[*first]) {
                None => Ok(Node::Dict(Vec::new())),
                Some(Node::List(items)) => {
                    let entries = items.iter().map(|item| match &self.nodes[*item] {
                        Node::List(pair) | Node::Tuple(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
                        _ => Err("an OrderedDict of something other than pairs".to_string()),
                    });
                    Ok(Node::Dict(entries.collect::<Result<_, _>>()?))
                }
                Some(_) => Err("an OrderedDict of something other than pairs".into()),
            },
            _ => Ok(Node::Object { class: class.clone(), state: None }),
        }
    }

    /// A persistent id: `("storage", class, key, location, elements, …)`.
    fn storage(&self, id: Ref) -> Result<Storage, String> {
        let Node::Tuple(parts) = &self.nodes[id] else { return Err("a persistent id that is no tuple".into()) };
        if parts.len() < 5 || self.as_text(parts[0])? != "storage" {
            return Err("a persistent id that is no storage".into());
        }
        if parts.get(5).is_some_and(|view| self.nodes[*view] != Node::None) {
            return Err("a storage that is a view of another".into());
        }
        let Node::Class(class) = &self.nodes[parts[1]] else { return Err("a storage without a type".into()) };
        let kind = class.rsplit('.').next().unwrap_or(class).to_string();
        Ok(Storage { kind, key: self.as_text(parts[2])?.to_string(), len: self.as_size(parts[4])? })
    }

    fn append(&mut self, items: Vec<Ref>) -> Result<(), String> {
        let target = self.top()?;
        match &mut self.nodes[target] {
            Node::List(list) => list.extend(items),
            Node::Object { .. } => {}
            _ => return Err("an append to something that is no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Ref]) -> Result<(), String> {
        let items = pairs(items)?;
        let target = self.top()?;
        match &mut self.nodes[target] {
            Node::Dict(entries) => entries.extend(items),
            Node::Object { .. } => {}
            _ => return Err("items set on something that is no dictionary".into()),
        }
        Ok(())
    }

    fn memorize(&mut self, key: u32) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let node = *self.memo.get(&key).ok_or(format!("memo {key} was never set"))?;
        self.stack.push(node);
        Ok(())
    }

    fn as_text(&self, node: Ref) -> Result<&str, String> {
        match &self.nodes[node] {
            Node::Text(text) => Ok(text),
            other => Err(format!("{other:?} where a text should be")),
        }
    }

    fn as_size(&self, node: Ref) -> Result<usize, String> {
        match &self.nodes[node] {
            Node::Int(value) => usize::try_from(*value).map_err(|_| format!("{value} where a size should be")),
            other => Err(format!("{other:?} where a size should be")),
        }
    }

    fn as_sizes(&self, node: Ref) -> Result<Vec<usize>, String> {
        match &self.nodes[node] {
            Node::Tuple(items) | Node::List(items) => items.iter().map(|item| self.as_size(*item)).collect(),
            other => Err(format!("{other:?} where sizes should be")),
        }
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn top(&self) -> Result<Ref, String> {
        self.stack.last().copied().ok_or_else(|| "an empty stack".to_string())
    }

    fn pop(&mut self) -> Result<Ref, String> {
        self.stack.pop().ok_or_else(|| "an empty stack".to_string())
    }

    fn pop_n(&mut self, n: usize) -> Result<Vec<Ref>, String> {
        let from = self.stack.len().checked_sub(n).ok_or("an empty stack")?;
        Ok(self.stack.split_off(from))
    }

    fn pop_mark(&mut self) -> Result<Vec<Ref>, String> {
        let mark = self.marks.pop().ok_or("no mark")?;
        if mark > self.stack.len() {
            return Err("a mark above the stack".into());
        }
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, n: usize) -> Result<&[u8], String> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len()).ok_or("the data end too early")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| "the data end too early".to_string())
    }

    fn text(&mut self, n: usize) -> Result<(), String> {
        let text = String::from_utf8_lossy(self.take(n)?).into_owned();
        self.push(Node::Text(text));
        Ok(())
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = &self.bytes[self.at..];
        let n = rest.iter().position(|b| *b == b'\n').ok_or("a name without an end")?;
        let text = String::from_utf8_lossy(&rest[..n]).into_owned();
        self.at += n + 1;
        Ok(text)
    }
}

fn pairs(items: &[Ref]) -> Result<Vec<(Ref, Ref)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a key without a value".into());
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

/// A two's complement integer of any length.
fn long(bytes: &[u8]) -> Node {
    if bytes.len() > 8 {
        return Node::Long(bytes.to_vec());
    }
    let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut whole = [if negative { 0xFF } else { 0 }; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_values_are_read() {
        // pickle.dumps({'a': (1, -2, True), 'b': [None, 2.5, 300, 70000]}, 2)
        let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01J\xfe\xff\xff\xff\x88\x87q\x02X\x01\x00\x00\x00bq\x03]q\x04(NG@\x04\x00\x00\x00\x00\x00\x00M,\x01Jp\x11\x01\x00eu.";
        let pickle = Pickle::read(bytes).unwrap();
        assert_eq!(pickle.length, bytes.len());
        let Node::Tuple(a) = &pickle.nodes[pickle.entry(pickle.root, "a").unwrap()] else { panic!("a tuple") };
        let a: Vec<_> = a.iter().map(|i| &pickle.nodes[*i]).collect();
        assert_eq!(a, [&Node::Int(1), &Node::Int(-2), &Node::Bool(true)]);
        let Node::List(b) = &pickle.nodes[pickle.entry(pickle.root, "b").unwrap()] else { panic!("a list") };
        let b: Vec<_> = b.iter().map(|i| &pickle.nodes[*i]).collect();
        assert_eq!(b, [&Node::None, &Node::Float(2.5), &Node::Int(300), &Node::Int(70000)]);
    }

    #[test]
    fn calls_run_nothing() {
        // What a pickle would look like that runs a command: os.system("true").
        let pickle = Pickle::read(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.").unwrap();
        assert_eq!(pickle.nodes[pickle.root], Node::Object { class: "os.system".into(), state: None });
    }

    #[test]
    fn broken_pickles_are_errors_never_panics() {
        let whole = b"\x80\x02}q\x00(X\x01\x00\x00\x00aK\x01\x85u.";
        for end in 0..whole.len() {
            assert!(Pickle::read(&whole[..end]).is_err());
        }
        for at in 0..whole.len() {
            for value in 0..=255u8 {
                let mut broken = whole.to_vec();
                broken[at] = value;
                // Some of these are still pickles; none may panic.
                let _ = Pickle::read(&broken);
            }
        }
    }
}
