//! Reads FlatBuffers, the format of TensorFlow Lite files: tables whose fields lie at offsets. Every offset is checked
//! against the file; what lies outside of it is refused, so that no bytes can make this fail otherwise.

/// A file.
#[derive(Clone, Copy)]
pub(super) struct Flat<'a>(&'a [u8]);

/// A table: a record whose fields may be missing.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    file: Flat<'a>,
    /// Where it begins.
    at: usize,
    /// Where the list of its fields' offsets begins, and its length in bytes.
    fields: (usize, usize),
}

/// A list of values of one size, or of offsets of tables.
#[derive(Clone, Copy)]
pub(super) struct List<'a> {
    file: Flat<'a>,
    at: usize,
    count: usize,
}

/// A list of numbers may be so long.
const LONGEST: usize = 64;

type Result<T> = std::result::Result<T, String>;

impl<'a> Flat<'a> {
    /// The table the file begins with; refuses a file without the mark `identifier`.
    pub(super) fn root(bytes: &'a [u8], identifier: &[u8; 4]) -> Result<Table<'a>> {
        let file = Self(bytes);
        if file.bytes(4, 4)? != identifier {
            return Err(format!("it is not marked `{}`", String::from_utf8_lossy(identifier)));
        }
        file.table(file.offset(0)?)
    }

    fn bytes(self, at: usize, count: usize) -> Result<&'a [u8]> {
        let end = at.checked_add(count);
        end.and_then(|end| self.0.get(at..end)).ok_or_else(|| format!("it is not whole: nothing is at {at}"))
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N]> {
        Ok(self.bytes(at, N)?.try_into().expect("as many bytes as were asked for"))
    }

    /// What the offset at `at` leads to.
    fn offset(self, at: usize) -> Result<usize> {
        Ok(at + u32::from_le_bytes(self.array(at)?) as usize)
    }

    fn table(self, at: usize) -> Result<Table<'a>> {
        let back = i64::from(i32::from_le_bytes(self.array(at)?));
        let start = usize::try_from(at as i64 - back).map_err(|_| "a table has no fields".to_owned())?;
        let length = usize::from(u16::from_le_bytes(self.array(start)?));
        if length < 4 {
            return Err("a table has no fields".to_owned());
        }
        self.bytes(start, length)?;
        Ok(Table { file: self, at, fields: (start, length) })
    }
}

impl<'a> Table<'a> {
    /// Where field `number` lies; `None` where it is missing and has its usual value.
    fn field(&self, number: usize) -> Result<Option<usize>> {
        let (start, length) = self.fields;
        let slot = 4 + 2 * number;
        if slot + 2 > length {
            return Ok(None);
        }
        let offset = usize::from(u16::from_le_bytes(self.file.array(start + slot)?));
        Ok((offset != 0).then_some(self.at + offset))
    }

    /// Whether field `number` is there.
    pub(super) fn has(&self, number: usize) -> Result<bool> {
        Ok(self.field(number)?.is_some())
    }

    /// A field of one byte.
    pub(super) fn byte(&self, number: usize) -> Result<u8> {
        Ok(match self.field(number)? {
            Some(at) => self.file.array::<1>(at)?[0],
            None => 0,
        })
    }

    /// A field of 32 bits, signed, with its usual value.
    pub(super) fn int(&self, number: usize, usual: i32) -> Result<i32> {
        Ok(match self.field(number)? {
            Some(at) => i32::from_le_bytes(self.file.array(at)?),
            None => usual,
        })
    }

    /// A field that is a table.
    pub(super) fn table(&self, number: usize) -> Result<Option<Table<'a>>> {
        self.field(number)?.map(|at| self.file.table(self.file.offset(at)?)).transpose()
    }

    /// A field that is a list of values of `size` bytes; empty where it is missing.
    pub(super) fn list(&self, number: usize, size: usize) -> Result<List<'a>> {
        let Some(at) = self.field(number)? else { return Ok(List { file: self.file, at: 0, count: 0 }) };
        let at = self.file.offset(at)?;
        let count = u32::from_le_bytes(self.file.array(at)?) as usize;
        self.file.bytes(at + 4, count.checked_mul(size).ok_or("a list is too long")?)?;
        Ok(List { file: self.file, at: at + 4, count })
    }

    /// A field that is a list of bytes.
    pub(super) fn bytes(&self, number: usize) -> Result<&'a [u8]> {
        let list = self.list(number, 1)?;
        list.file.bytes(list.at, list.count)
    }

    /// A field that is a list of tables.
    pub(super) fn tables(&self, number: usize) -> Result<Vec<Table<'a>>> {
        let list = self.list(number, 4)?;
        (0..list.count).map(|i| list.file.table(list.file.offset(list.at + 4 * i)?)).collect()
    }

    /// A field that is a list of 32-bit numbers.
    pub(super) fn ints(&self, number: usize) -> Result<Vec<i32>> {
        let list = self.list(number, 4)?;
        // Shapes and lists of tensors are short; many fields may point to one list.
        if list.count > LONGEST {
            return Err(format!("a list of {} numbers is too long", list.count));
        }
        (0..list.count).map(|i| Ok(i32::from_le_bytes(list.file.array(list.at + 4 * i)?))).collect()
    }
}
